//! The contracts of those who handle what flows: sources, sinks and formats, as traits that connectors implement.
//!
//! Each sentence of a contract is held by an assertion or by the contract suite that every implementation runs
//! (`dataflow::testing`, feature `testing`).

pub mod browse;
pub mod connector;
pub mod dead;
pub mod format;
pub mod sink;
pub mod source;

pub use browse::Browse;
pub use connector::{Connector, Description, Example, Guarantee, InvalidOptions};
pub use format::{BadRecord, Decoded, Decoder, Encoder, Format, Framing, Lines, Splicer, Unnested};
pub use sink::{Committable, Cut, Encoding, Kinds, Prepared, Sink, SinkConnector, SinkContext, SinkState};
pub use source::{
    Alignment, Discovery, Enumerator, EnumeratorContext, Order, Polled, Progress, Reader, ReaderContext,
    SIDE_BY_SIDE_MAX, Shape, SourceConnector, Split, Waker,
};
