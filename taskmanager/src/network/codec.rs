//! Frames and receipts as gRPC messages, without a copy more than the connection's own.

use bytes::Buf as _;
use proto::v1::Granted;
use tonic::Status;
use tonic::codec::{BufferSettings, Codec, DecodeBuf, Decoder, EncodeBuf, Encoder};

use super::frame::{self, Frame, Malformed, Outgoing};

/// What the encoder gathers before it hands it to the connection.
const BUFFER: usize = 64 << 10;

fn settings() -> BufferSettings {
    BufferSettings::new(BUFFER, BUFFER)
}

/// The codec of the side that sends frames.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct SenderCodec;

/// The codec of the side that receives frames.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct ReceiverCodec;

/// Frames, as written by the sender and read by the receiver.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Frames;

/// Receipts, as written by the receiver and read by the sender.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Receipts;

impl Codec for SenderCodec {
    type Encode = Outgoing;
    type Decode = Granted;
    type Encoder = Frames;
    type Decoder = Receipts;

    fn encoder(&mut self) -> Frames {
        Frames
    }

    fn decoder(&mut self) -> Receipts {
        Receipts
    }
}

impl Codec for ReceiverCodec {
    type Encode = Granted;
    type Decode = Frame;
    type Encoder = Receipts;
    type Decoder = Frames;

    fn encoder(&mut self) -> Receipts {
        Receipts
    }

    fn decoder(&mut self) -> Frames {
        Frames
    }
}

impl Encoder for Frames {
    type Item = Outgoing;
    type Error = Status;

    fn encode(&mut self, item: Outgoing, out: &mut EncodeBuf<'_>) -> Result<(), Status> {
        out.reserve(item.len());
        item.write(out);
        Ok(())
    }

    fn buffer_settings(&self) -> BufferSettings {
        settings()
    }
}

impl Decoder for Frames {
    type Item = Frame;
    type Error = Status;

    fn decode(&mut self, bytes: &mut DecodeBuf<'_>) -> Result<Option<Frame>, Status> {
        read(bytes, frame::decode)
    }

    fn buffer_settings(&self) -> BufferSettings {
        settings()
    }
}

impl Encoder for Receipts {
    type Item = Granted;
    type Error = Status;

    fn encode(&mut self, item: Granted, out: &mut EncodeBuf<'_>) -> Result<(), Status> {
        frame::write_receipt(&item, out);
        Ok(())
    }
}

impl Decoder for Receipts {
    type Item = Granted;
    type Error = Status;

    fn decode(&mut self, bytes: &mut DecodeBuf<'_>) -> Result<Option<Granted>, Status> {
        read(bytes, frame::decode_receipt)
    }
}

/// Reads one message, which is one run of bytes here; were it not, it is made one.
fn read<T>(bytes: &mut DecodeBuf<'_>, decode: fn(&[u8]) -> Result<T, Malformed>) -> Result<Option<T>, Status> {
    let length = bytes.remaining();
    let message = if bytes.chunk().len() == length {
        let message = decode(bytes.chunk());
        bytes.advance(length);
        message
    } else {
        decode(&bytes.copy_to_bytes(length))
    };
    message.map(Some).map_err(|error| Status::data_loss(error.to_string()))
}
