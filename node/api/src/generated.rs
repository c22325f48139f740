//! The protocol, generated from `proto/cets.proto`.

// Generated code follows its generator's style.
#![allow(missing_docs, unused_qualifications, clippy::all, clippy::pedantic)]

tonic::include_proto!("cets.v1");

/// Encoded descriptors of the protocol, for server reflection.
pub const FILE_DESCRIPTOR_SET: &[u8] =
    include_bytes!(concat!(env!("OUT_DIR"), "/cets_descriptor.bin"));
