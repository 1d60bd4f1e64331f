//! The wire: generated messages and services, nothing else. Documentation stands in `proto/proto/weir/v1/*.proto`.

/// Version 1 of the wire.
pub mod v1 {
    #![expect(
        missing_docs,
        unused_qualifications,
        clippy::all,
        clippy::allow_attributes,
        clippy::allow_attributes_without_reason,
        reason = "generated from the .proto files"
    )]

    tonic::include_proto!("weir.v1");
}
