//! Tests that a wrapper of a transport, of a sink or of a stream forwards each method: one that
//! leaves a method out does not compile, and one that has all of them does.

/// What a wrapper needs.
macro_rules! beginning {
    () => {
        "use std::any::Any;
use std::io;
use std::sync::Arc;
use std::task::{Context, Poll};
use bytes::Bytes;
use mycelium_transport::{Activity, FrameSink, FrameStream, TransportMessage};
use mycelium_transport::{Channel, Connector, Transport, TransportKind};
"
    };
}

/// A method of a wrapper.
macro_rules! method {
    (kind) => {
        "fn kind(&self) -> TransportKind { self.0.kind() }
"
    };
    (peer) => {
        "fn peer(&self) -> String { self.0.peer() }
"
    };
    (local) => {
        "fn local(&self) -> String { self.0.local() }
"
    };
    (connector) => {
        "fn connector(&self) -> Option<Arc<dyn Connector>> { self.0.connector() }
"
    };
    (channel) => {
        "fn channel(&self) -> Channel { self.0.channel() }
"
    };
    (split) => {
        "fn split(self: Box<Self>, most: u64) -> (Box<dyn FrameSink>, Box<dyn FrameStream>) {
    self.0.split(most)
}
"
    };
    (queue) => {
        "fn queue(&mut self, frame: TransportMessage) -> Result<(), TransportMessage> {
    self.0.queue(frame)
}
"
    };
    (queue_parts) => {
        "fn queue_parts(&mut self, head: Bytes, rest: Bytes) -> Result<(), TransportMessage> {
    self.0.queue_parts(head, rest)
}
"
    };
    (queue_framed) => {
        "fn queue_framed(&mut self, frames: Bytes, tail: Bytes) {
    self.0.queue_framed(frames, tail)
}
"
    };
    (expect_answer) => {
        "fn expect_answer(&mut self) -> bool { self.0.expect_answer() }
"
    };
    (queued_bytes) => {
        "fn queued_bytes(&self) -> usize { self.0.queued_bytes() }
"
    };
    (poll_flush) => {
        "fn poll_flush(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
    self.0.poll_flush(context)
}
"
    };
    (into_writer) => {
        "fn into_writer(self: Box<Self>) -> Option<Box<dyn Any + Send>> { self.0.into_writer() }
"
    };
    (poll_frame) => {
        "fn poll_frame(&mut self, context: &mut Context<'_>)
    -> Poll<io::Result<Option<TransportMessage>>> {
    self.0.poll_frame(context)
}
"
    };
    (take_ready) => {
        "fn take_ready(&mut self, lent: &mut bytes::Bytes) -> Option<bytes::Bytes> {
    self.0.take_ready(lent)
}
"
    };
    (set_max_frame) => {
        "fn set_max_frame(&mut self, bytes: u64) { self.0.set_max_frame(bytes) }
"
    };
    (tell_arrivals) => {
        "fn tell_arrivals(&mut self, activity: &Activity) { self.0.tell_arrivals(activity) }
"
    };
    (into_reader) => {
        "fn into_reader(self: Box<Self>) -> Option<Box<dyn Any + Send>> { self.0.into_reader() }
"
    };
}

/// A test for each line: `name: how trait { methods that the wrapper has };`
macro_rules! wrappers {
    ($($name:ident: $how:literal $trait:ident { $($method:ident)+ };)+) => {$(
        #[doc = concat!(
            "```", $how, "\n", beginning!(),
            "struct Wrapper(Box<dyn ", stringify!($trait), ">);\n",
            "impl ", stringify!($trait), " for Wrapper {\n", $(method!($method),)+ "}\n```",
        )]
        mod $name {}
    )+};
}

wrappers! {
    a_whole_transport: "no_run" Transport { kind peer local connector channel split };
    without_connector: "compile_fail,E0046" Transport { kind peer local channel split };
    without_channel: "compile_fail,E0046" Transport { kind peer local connector split };
    a_whole_sink: "no_run" FrameSink {
        queue queue_parts queue_framed expect_answer queued_bytes poll_flush into_writer
    };
    without_queue_parts: "compile_fail,E0046" FrameSink {
        queue queue_framed expect_answer queued_bytes poll_flush into_writer
    };
    without_queue_framed: "compile_fail,E0046" FrameSink {
        queue queue_parts expect_answer queued_bytes poll_flush into_writer
    };
    without_expect_answer: "compile_fail,E0046" FrameSink {
        queue queue_parts queue_framed queued_bytes poll_flush into_writer
    };
    without_into_writer: "compile_fail,E0046" FrameSink {
        queue queue_parts queue_framed expect_answer queued_bytes poll_flush
    };
    a_whole_stream: "no_run" FrameStream {
        poll_frame take_ready set_max_frame tell_arrivals into_reader
    };
    without_take_ready: "compile_fail,E0046" FrameStream {
        poll_frame set_max_frame tell_arrivals into_reader
    };
    without_set_max_frame: "compile_fail,E0046" FrameStream {
        poll_frame take_ready tell_arrivals into_reader
    };
    without_tell_arrivals: "compile_fail,E0046" FrameStream {
        poll_frame take_ready set_max_frame into_reader
    };
    without_into_reader: "compile_fail,E0046" FrameStream {
        poll_frame take_ready set_max_frame tell_arrivals
    };
}
