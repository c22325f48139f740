//! api
tonic::include_proto!("cets.v1");
