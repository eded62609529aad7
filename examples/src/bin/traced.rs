//! A call to another process is one trace: what the other process does is part of it.
//!
//! ```text
//! cargo run -p mycelium-examples --features otel --bin traced
//! ```
//!
//! Both processes export their spans by OTLP. The first one also collects them here, and prints
//! them. With a collector of your own, which listens for OTLP by HTTP:
//!
//! ```text
//! OTEL_EXPORTER_OTLP_ENDPOINT=http://127.0.0.1:4318 cargo run -p mycelium-examples --features otel --bin traced
//! ```

use std::error::Error;
use std::future::{Future, ready};
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::pin::Pin;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use mycelium_ext::node::{Listen, Node};
use opentelemetry::trace::TracerProvider as _;
use opentelemetry_http::{Bytes, HttpClient, HttpError, Request, Response};
use opentelemetry_otlp::{Protocol, SpanExporter, WithExportConfig, WithHttpConfig};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::trace::SdkTracerProvider;
use ractor::{Actor, ActorProcessingErr, ActorRef, RpcReplyPort, call_t, pg};
use ractor_cluster::RactorClusterMessage;
use serde_json::Value;
use tracing::Instrument;
use tracing_subscriber::Layer;
use tracing_subscriber::filter::filter_fn;
use tracing_subscriber::layer::SubscriberExt;

const BOOKS: &str = "books";
const PATIENCE: Duration = Duration::from_secs(30);

#[derive(RactorClusterMessage)]
enum Order {
    /// Answers at which price so much is bought.
    #[rpc]
    Place(u64, RpcReplyPort<u64>),
}

struct Book;

impl Actor for Book {
    type Msg = Order;
    type State = ();
    type Arguments = ();

    async fn pre_start(&self, myself: ActorRef<Order>, (): ()) -> Result<(), ActorProcessingErr> {
        pg::join(BOOKS.to_owned(), vec![myself.get_cell()]);
        Ok(())
    }

    async fn handle(
        &self,
        _: ActorRef<Order>,
        Order::Place(size, reply): Order,
        (): &mut (),
    ) -> Result<(), ActorProcessingErr> {
        // Runs in the span of the message, whose parent is the caller's span.
        let price = tracing::info_span!("match", size).in_scope(|| 100 + size / 10);
        Ok(reply.send(price)?)
    }
}

/// Exports the spans of this process, to the collector at this address or to one that a variable
/// names. Spans that have ended are exported when the result is shut down.
fn export(service: &str, collector: Option<&str>) -> Result<SdkTracerProvider, Box<dyn Error>> {
    // The default client of the crate does the same, and brings a library for HTTP.
    let mut exporter = SpanExporter::builder()
        .with_http()
        .with_http_client(Client)
        .with_protocol(Protocol::HttpJson);
    if let Some(address) = collector {
        exporter = exporter.with_endpoint(format!("http://{address}/v1/traces"));
    }
    let provider = SdkTracerProvider::builder()
        .with_batch_exporter(exporter.build()?)
        .with_resource(Resource::builder().with_service_name(service.to_owned()).build())
        .build();
    // An actor has a span for its whole life, which is in no trace.
    let layer = tracing_opentelemetry::layer()
        .with_tracer(provider.tracer("traced"))
        .with_filter(filter_fn(|it| it.target() != "ractor::actor" && it.name() != "node"));
    tracing::subscriber::set_global_default(tracing_subscriber::registry().with(layer))?;
    Ok(provider)
}

fn node(name: &str) -> mycelium_ext::node::NodeBuilder {
    let node = Node::builder(name).cookie("16 random bytes or more");
    node.listen(Listen::tcp("127.0.0.1:0")).traces(true)
}

/// The other process: a book, until the first one closes its input.
async fn book(collector: Option<&str>) -> Result<(), Box<dyn Error>> {
    let provider = export("book", collector)?;
    Actor::spawn(None, Book, ()).await?;
    let node = node("book").start().await?;
    println!("{}", node.addresses()[0]);
    tokio::task::spawn_blocking(|| io::stdin().read_line(&mut String::new())).await??;
    node.stop().await;
    tokio::task::spawn_blocking(move || provider.shutdown()).await??;
    Ok(())
}

/// The book's process, which ends with this one.
struct OtherProcess(Child);

impl Drop for OtherProcess {
    fn drop(&mut self) {
        // It has ended by itself, unless something went wrong here.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

async fn desk() -> Result<(), Box<dyn Error>> {
    let own = match std::env::var_os("OTEL_EXPORTER_OTLP_ENDPOINT") {
        None => Some(collect()?),
        Some(_) => None,
    };
    let collector = own.as_ref().map(|(address, _)| address.as_str());
    let provider = export("desk", collector)?;

    let mut other = Command::new(std::env::current_exe()?);
    other.arg("book").args(collector).stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut other = OtherProcess(other.spawn()?);
    let output = other.0.stdout.take().ok_or("the book has no output")?;
    let mut address = String::new();
    BufReader::new(output).read_line(&mut address)?;

    let node = node("desk").start().await?;
    node.connect(address.trim().parse()?).await?;
    let book = loop {
        match pg::get_members(&BOOKS.to_owned()).pop() {
            Some(book) => break ActorRef::<Order>::from(book),
            None => tokio::task::yield_now().await,
        }
    };
    let order = async { call_t!(book, Order::Place, 30_000, 7) };
    let price = order.instrument(tracing::info_span!("order")).await?;
    println!("bought 7 at {price}");
    node.stop().await;
    tokio::task::spawn_blocking(move || {
        provider.shutdown()?;
        // Its end exports what it has left.
        drop(other.0.stdin.take());
        other.0.wait().map_err(Box::<dyn Error + Send + Sync>::from)
    })
    .await?
    .map_err(|error| error.to_string())?;
    if let Some((_, spans)) = own {
        let spans: Vec<_> =
            (0..3).map(|_| spans.recv_timeout(PATIENCE)).collect::<Result<_, _>>()?;
        print_below("", &spans, 0);
    }
    Ok(())
}

/// A span: the process that it is of, its name, its number, and that of its parent.
struct Span {
    service: String,
    name: String,
    id: String,
    parent: String,
}

/// Prints the spans whose parent this is, and those below.
fn print_below(parent: &str, spans: &[Span], depth: usize) {
    for span in spans.iter().filter(|span| span.parent == parent) {
        println!("{:indent$}{} ({})", "", span.name, span.service, indent = 2 * depth);
        print_below(&span.id, spans, depth + 1);
    }
}

/// Collects spans as a collector of OTLP does. Returns its address, and the spans.
fn collect() -> io::Result<(String, Receiver<Span>)> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let address = listener.local_addr()?.to_string();
    let (sender, spans) = channel();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            match stream.and_then(take) {
                // The receiver may have gone.
                Ok(spans) => spans.into_iter().for_each(|span| _ = sender.send(span)),
                Err(error) => eprintln!("an export failed: {error}"),
            }
        }
    });
    Ok((address, spans))
}

/// Takes one request.
fn take(mut stream: TcpStream) -> io::Result<Vec<Span>> {
    stream.set_read_timeout(Some(PATIENCE))?;
    let mut reader = BufReader::new(stream.try_clone()?);
    let mut length = 0;
    loop {
        let mut line = String::new();
        reader.read_line(&mut line)?;
        let line = line.trim_end().to_ascii_lowercase();
        if line.is_empty() {
            break;
        }
        if let Some(value) = line.strip_prefix("content-length: ") {
            length = value.parse().map_err(io::Error::other)?;
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body)?;
    let body: Value = serde_json::from_slice(&body)?;
    stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{}")?;
    let list = |of: &Value, field: &str| of[field].as_array().cloned().unwrap_or_default();
    let text = |of: &Value| of.as_str().unwrap_or_default().to_owned();
    let mut all = Vec::new();
    for of_process in list(&body, "resourceSpans") {
        let attributes = list(&of_process["resource"], "attributes");
        let service = attributes.iter().find(|it| it["key"] == "service.name");
        let service = service.map(|it| text(&it["value"]["stringValue"])).unwrap_or_default();
        for span in list(&of_process, "scopeSpans").iter().flat_map(|it| list(it, "spans")) {
            all.push(Span {
                service: service.clone(),
                name: text(&span["name"]),
                id: text(&span["spanId"]),
                parent: text(&span["parentSpanId"]),
            });
        }
    }
    Ok(all)
}

/// Sends each request by a connection of its own.
#[derive(Debug)]
struct Client;

impl Client {
    fn send(request: &Request<Bytes>) -> Result<Response<Bytes>, HttpError> {
        let (uri, body) = (request.uri(), request.body());
        let authority = uri.authority().ok_or("an endpoint without a host")?;
        let mut stream = TcpStream::connect(authority.as_str())?;
        stream.set_read_timeout(Some(PATIENCE))?;
        let mut head = format!(
            "{} {} HTTP/1.1\r\nHost: {authority}\r\nContent-Length: {}\r\nConnection: close\r\n",
            request.method(),
            uri.path(),
            body.len()
        );
        for (name, value) in request.headers() {
            head.push_str(&format!("{name}: {}\r\n", value.to_str()?));
        }
        stream.write_all(format!("{head}\r\n").as_bytes())?;
        stream.write_all(body)?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer)?;
        let status = answer.split(' ').nth(1).ok_or("an answer without a status")?;
        Ok(Response::builder().status(status.parse::<u16>()?).body(Bytes::new())?)
    }
}

impl HttpClient for Client {
    fn send_bytes<'a, 'b>(
        &'a self,
        request: Request<Bytes>,
    ) -> Pin<Box<dyn Future<Output = Result<Response<Bytes>, HttpError>> + Send + 'b>>
    where
        'a: 'b,
        Self: 'b,
    {
        Box::pin(ready(Self::send(&request)))
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    match arguments.next() {
        None => desk().await,
        Some(_) => book(arguments.next().as_deref()).await,
    }
}
