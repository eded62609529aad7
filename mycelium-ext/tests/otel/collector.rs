//! A collector of OTLP, in a process of its own: it prints what it gets, span by span.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::ExitCode;

use serde_json::Value;

use super::process::{LONG, Process, end_with_parent};

/// A span, as it was exported.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Span {
    /// The node, as the resource names it.
    pub(crate) node: String,
    pub(crate) name: String,
    /// As OTLP numbers it: 1 internal, 2 server, 5 consumer.
    pub(crate) kind: u64,
    pub(crate) trace: String,
    pub(crate) id: String,
    /// Empty at the root.
    pub(crate) parent: String,
}

/// The collector's process.
pub(crate) struct Collector {
    process: Process,
    pub(crate) address: String,
}

impl Collector {
    pub(crate) fn start() -> Self {
        let process = Process::start(&["collector"]);
        let address = process.line();
        Self { process, address }
    }

    /// The next span of any node.
    pub(crate) fn next(&self) -> Span {
        let line = self.process.line();
        let span: Value = serde_json::from_str(&line).expect("it prints JSON");
        let text = |field: &str| span[field].as_str().unwrap_or_default().to_owned();
        Span {
            node: text("node"),
            name: text("name"),
            kind: span["kind"].as_u64().expect("a kind"),
            trace: text("traceId"),
            id: text("spanId"),
            parent: text("parentSpanId"),
        }
    }

    /// So many spans, by node and name.
    pub(crate) fn take(&self, count: usize) -> Vec<Span> {
        let mut spans: Vec<_> = (0..count).map(|_| self.next()).collect();
        spans.sort_by(|a, b| (&a.node, &a.name, &a.id).cmp(&(&b.node, &b.name, &b.id)));
        spans
    }
}

/// Collects until its parent ends.
pub(crate) fn run() -> ExitCode {
    end_with_parent();
    let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a port is free");
    println!("{}", listener.local_addr().expect("it listens"));
    for stream in listener.incoming() {
        let stream = stream.expect("a connection");
        stream.set_read_timeout(Some(LONG)).expect("it takes a timeout");
        // Nodes that are killed break off.
        if let Err(error) = collect(stream) {
            eprintln!("collector: {error}");
        }
    }
    ExitCode::SUCCESS
}

/// Takes one request, `POST /v1/traces` with JSON.
fn collect(mut stream: TcpStream) -> io::Result<()> {
    let invalid = |what: &str| io::Error::new(io::ErrorKind::InvalidData, what.to_owned());
    let mut reader = BufReader::new(stream.try_clone()?);
    let mut lines = Vec::new();
    loop {
        let mut line = String::new();
        reader.read_line(&mut line)?;
        match line.trim_end() {
            "" => break,
            line => lines.push(line.to_ascii_lowercase()),
        }
    }
    let is_export = lines.first().is_some_and(|line| line.starts_with("post /v1/traces "));
    let is_json = lines.iter().any(|line| line == "content-type: application/json");
    if !is_export || !is_json {
        return Err(invalid("it is no export of traces as JSON"));
    }
    let length = lines.iter().find_map(|line| line.strip_prefix("content-length: ")?.parse().ok());
    let mut body = vec![0; length.ok_or_else(|| invalid("it has no length"))?];
    reader.read_exact(&mut body)?;
    // Printed before it is answered: an exporter that waits knows that it is there.
    print(&serde_json::from_slice(&body)?)?;
    stream.write_all(
        b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\
          Connection: close\r\n\r\n{}",
    )
}

/// Prints the spans of an `ExportTraceServiceRequest`.
fn print(request: &Value) -> io::Result<()> {
    let list = |of: &Value, field: &str| of[field].as_array().cloned().unwrap_or_default();
    for of_node in list(request, "resourceSpans") {
        let attributes = list(&of_node["resource"], "attributes");
        let name = attributes.iter().find(|it| it["key"] == "service.name");
        let node = name.map(|it| it["value"]["stringValue"].clone()).unwrap_or_default();
        let spans = list(&of_node, "scopeSpans").into_iter().flat_map(|it| list(&it, "spans"));
        for mut span in spans {
            span["node"] = node.clone();
            writeln!(io::stdout(), "{span}")?;
        }
    }
    io::stdout().flush()
}
