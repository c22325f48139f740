//! The form of a push: transactions one after the other, each preceded by its length as u32 BE.

use std::io;

use async_trait::async_trait;
use bytes::Bytes;
use cets_contracts::tx::TRANSACTION_BYTES_MAX;
use libp2p::futures::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use libp2p::request_response;
use libp2p::swarm::StreamProtocol;

/// Most bytes of one push.
pub(super) const PUSH_BYTES_MAX: usize = 1024 * 1024;

/// Collects transactions into a push.
#[derive(Debug, Default)]
pub(crate) struct PushBuilder {
    bytes: Vec<u8>,
}

impl PushBuilder {
    /// Whether a transaction still fits.
    pub(crate) fn has_room(&self, transaction: &[u8]) -> bool {
        let length = self.bytes.len().saturating_add(transaction.len()).saturating_add(4);
        length <= PUSH_BYTES_MAX
    }

    pub(crate) fn push(&mut self, transaction: &[u8]) {
        let length = u32::try_from(transaction.len()).expect("transactions are below 64 KiB");
        self.bytes.extend_from_slice(&length.to_be_bytes());
        self.bytes.extend_from_slice(transaction);
    }

    pub(super) fn len(&self) -> usize {
        self.bytes.len()
    }

    /// The push so far; none when nothing was collected.
    pub(crate) fn take(&mut self) -> Option<Bytes> {
        (!self.bytes.is_empty()).then(|| Bytes::from(std::mem::take(&mut self.bytes)))
    }
}

/// The transactions of a push; none when its form is wrong.
pub(crate) fn split_push(mut push: &[u8]) -> Option<Vec<Vec<u8>>> {
    let mut transactions = Vec::new();
    while !push.is_empty() {
        let (length, rest) = push.split_first_chunk::<4>()?;
        let length = usize::try_from(u32::from_be_bytes(*length)).ok()?;
        if length > TRANSACTION_BYTES_MAX {
            return None;
        }
        let (transaction, rest) = rest.split_at_checked(length)?;
        transactions.push(transaction.to_vec());
        push = rest;
    }
    Some(transactions)
}

/// Reads and writes pushes and their one-byte answers.
#[derive(Clone, Debug)]
pub(super) struct PushCodec {
    /// Most bytes of one push.
    pub(super) bytes_max: usize,
}

#[async_trait]
impl request_response::Codec for PushCodec {
    type Protocol = StreamProtocol;
    type Request = Bytes;
    type Response = ();

    async fn read_request<T>(&mut self, _: &StreamProtocol, io: &mut T) -> io::Result<Bytes>
    where
        T: AsyncRead + Unpin + Send,
    {
        let mut length = [0u8; 4];
        io.read_exact(&mut length).await?;
        let length = usize::try_from(u32::from_be_bytes(length)).unwrap_or(usize::MAX);
        if length > self.bytes_max {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "the push is too large"));
        }
        let mut bytes = vec![0u8; length];
        io.read_exact(&mut bytes).await?;
        Ok(bytes.into())
    }

    async fn read_response<T>(&mut self, _: &StreamProtocol, io: &mut T) -> io::Result<()>
    where
        T: AsyncRead + Unpin + Send,
    {
        io.read_exact(&mut [0u8; 1]).await
    }

    async fn write_request<T>(
        &mut self,
        _: &StreamProtocol,
        io: &mut T,
        push: Bytes,
    ) -> io::Result<()>
    where
        T: AsyncWrite + Unpin + Send,
    {
        let length = u32::try_from(push.len()).unwrap_or(u32::MAX);
        io.write_all(&length.to_be_bytes()).await?;
        io.write_all(&push).await?;
        io.close().await
    }

    async fn write_response<T>(&mut self, _: &StreamProtocol, io: &mut T, (): ()) -> io::Result<()>
    where
        T: AsyncWrite + Unpin + Send,
    {
        io.write_all(&[0]).await?;
        io.close().await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_push_reads_back_and_damage_is_refused() {
        let mut builder = PushBuilder::default();
        for transaction in [&b"one"[..], b"", b"three"] {
            assert!(builder.has_room(transaction));
            builder.push(transaction);
        }
        let push = builder.take().unwrap();
        assert_eq!(builder.take(), None);
        let split = split_push(&push).unwrap();
        assert_eq!(split, [b"one".to_vec(), b"".to_vec(), b"three".to_vec()]);
        for cut in [1, 3, push.len() - 1] {
            assert_eq!(split_push(&push[..cut]), None, "{cut}");
        }
        assert_eq!(split_push(&[0xff; 8]), None);
    }
}
