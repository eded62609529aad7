//! Exports the spans of a process by OTLP, as an application does.

use std::future::{Future, ready};
use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::pin::Pin;

use opentelemetry::trace::TracerProvider as _;
use opentelemetry_http::{Bytes, HttpClient, HttpError, Request, Response};
use opentelemetry_otlp::{Protocol, SpanExporter, WithExportConfig, WithHttpConfig};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::trace::{Sampler, SdkTracerProvider};
use tracing::{Level, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::filter::filter_fn;
use tracing_subscriber::layer::SubscriberExt;

use super::process::LONG;

/// A client of one request per connection, in place of one that brings a library for HTTP.
#[derive(Debug)]
struct Client;

impl Client {
    fn send(request: &Request<Bytes>) -> io::Result<Response<Bytes>> {
        let uri = request.uri();
        let invalid = |what| io::Error::new(io::ErrorKind::InvalidData, what);
        let authority = uri.authority().ok_or_else(|| invalid("a URI without a host"))?;
        let mut stream = TcpStream::connect(authority.as_str())?;
        stream.set_read_timeout(Some(LONG))?;
        let (method, path, body) = (request.method(), uri.path(), request.body());
        let length = body.len();
        let mut head = format!(
            "{method} {path} HTTP/1.1\r\nHost: {authority}\r\nContent-Length: {length}\r\n\
             Connection: close\r\n"
        );
        for (name, value) in request.headers() {
            let value = value.to_str().map_err(|_| invalid("a header that is no text"))?;
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        head.push_str("\r\n");
        stream.write_all(head.as_bytes())?;
        stream.write_all(body)?;
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer)?;
        let text = String::from_utf8_lossy(&answer);
        let status = text.split(' ').nth(1).and_then(|it| it.parse::<u16>().ok());
        let body = text.split_once("\r\n\r\n").map_or("", |(_, body)| body).to_owned();
        Response::builder()
            .status(status.ok_or_else(|| invalid("an answer without a status"))?)
            .body(body.into())
            .map_err(io::Error::other)
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
        Box::pin(ready(Self::send(&request).map_err(Into::into)))
    }
}

/// A subscriber that exports each span when it ends, as of the service `name`. A trace that begins
/// here is recorded if `records`; one that comes from elsewhere as its sender says.
pub(crate) fn subscriber(collector: &str, name: &str, records: bool) -> impl Subscriber {
    let exporter = SpanExporter::builder()
        .with_http()
        .with_http_client(Client)
        .with_protocol(Protocol::HttpJson)
        .with_endpoint(format!("http://{collector}/v1/traces"))
        .with_timeout(LONG)
        .build()
        .expect("an exporter");
    let root = if records { Sampler::AlwaysOn } else { Sampler::AlwaysOff };
    let provider = SdkTracerProvider::builder()
        .with_simple_exporter(exporter)
        .with_resource(Resource::builder().with_service_name(name.to_owned()).build())
        .with_sampler(Sampler::ParentBased(Box::new(root)))
        .build();
    let layer = tracing_opentelemetry::layer().with_tracer(provider.tracer("otel"));
    // Of the spans of libraries, those of messages alone.
    let ours = filter_fn(|it| {
        *it.level() <= Level::INFO
            && (it.target() == mycelium_ext::otel::TARGET || it.target().starts_with("otel"))
    });
    tracing_subscriber::registry().with(layer.with_filter(ours))
}
