//! Threads of the interface, apart from those of consensus and gossip.
//!
//! On common threads every step of consensus would stand in line behind whatever clients have sent
//! by then. On threads of its own the interface competes with consensus for processor time only,
//! which the operating system divides fairly, however much clients send.

use tokio::runtime::{Builder, Handle, Runtime};

/// Runs the tasks of the interface until it is dropped.
#[derive(Debug)]
pub struct RpcThreads {
    handle: Handle,
    runtime: Option<Runtime>,
}

impl RpcThreads {
    /// Starts half as many threads as there are cores, at least one.
    ///
    /// # Errors
    /// When the system starts no thread.
    pub fn start() -> std::io::Result<Self> {
        let cores = std::thread::available_parallelism().map_or(1, core::num::NonZero::get);
        let threads = cores.div_ceil(2);
        let runtime = Builder::new_multi_thread()
            .worker_threads(threads)
            .thread_name("cets-api")
            .enable_all()
            .build()?;
        Ok(Self { handle: runtime.handle().clone(), runtime: Some(runtime) })
    }

    /// Where tasks of the interface are spawned.
    pub const fn handle(&self) -> &Handle {
        &self.handle
    }
}

impl Drop for RpcThreads {
    fn drop(&mut self) {
        // It may be dropped by a task, which may not wait for the threads.
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}
