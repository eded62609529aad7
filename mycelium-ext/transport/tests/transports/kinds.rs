//! Two connected ends of each kind of transport, and the tests of all for each.

use std::sync::Arc;

use mycelium_transport::{ArcTransport, StreamTransport, TcpTransport, TlsTransport};
use tokio::io::DuplexStream;
use tokio::net::TcpListener;
use tokio_rustls::rustls::crypto::aws_lc_rs;
use tokio_rustls::rustls::pki_types::PrivateKeyDer;
use tokio_rustls::rustls::{ClientConfig, RootCertStore, ServerConfig};
use tokio_rustls::{TlsAcceptor, TlsConnector};

use crate::conformance::suite;
use crate::ends::Ends;

suite!(tcp, Tcp, a_shared_message_comes_back, an_end_within_a_frame_is_told);
suite!(tls, Tls, a_shared_message_comes_back, an_end_within_a_frame_is_told);
suite!(stream, External, a_shared_message_comes_back, an_end_within_a_frame_is_told);
#[cfg(unix)]
suite!(unix, UnixSocket, a_shared_message_comes_back, an_end_within_a_frame_is_told);
suite!(arc, Arc);
suite!(own, External, a_shared_message_comes_back);

pub async fn tcp() -> Ends {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (a, b) = tokio::join!(TcpTransport::connect(address), listener.accept());
    Ends::new(a.unwrap(), TcpTransport::new(b.unwrap().0))
}

/// The server's and the client's part of a certificate that is made for the occasion.
pub fn tls_configuration() -> (TlsAcceptor, TlsConnector) {
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let certificate = made.cert.der().clone();
    let key = PrivateKeyDer::try_from(made.signing_key.serialize_der()).unwrap();
    let mut roots = RootCertStore::empty();
    roots.add(certificate.clone()).unwrap();
    let provider = Arc::new(aws_lc_rs::default_provider());
    let server = ServerConfig::builder_with_provider(provider.clone())
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate], key)
        .unwrap();
    let client = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    (TlsAcceptor::from(Arc::new(server)), TlsConnector::from(Arc::new(client)))
}

pub async fn tls() -> Ends {
    let (acceptor, connector) = tls_configuration();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let name = "localhost".try_into().unwrap();
    let (a, b) = tokio::join!(TlsTransport::connect(address, name, &connector), async {
        TlsTransport::accept(listener.accept().await.unwrap().0, &acceptor).await
    });
    Ends::new(a.unwrap(), b.unwrap())
}

/// An end of a stream that an application brings along.
pub fn streamed(stream: DuplexStream, label: Option<&str>) -> StreamTransport {
    let (reader, writer) = tokio::io::split(stream);
    let peer = label.map(|label| format!("{label}'s peer"));
    StreamTransport::from_halves(Box::new(reader), Box::new(writer), peer, label.map(str::to_owned))
}

pub async fn stream() -> Ends {
    let (a, b) = tokio::io::duplex(64 * 1024);
    Ends::new(streamed(a, Some("duplex")), streamed(b, Some("duplex")))
}

pub async fn own() -> Ends {
    crate::own::ends()
}

pub async fn arc() -> Ends {
    let (a, b) = ArcTransport::pair("a", "b");
    Ends::new(a, b)
}

#[cfg(unix)]
pub async fn unix() -> Ends {
    use mycelium_transport::{UnixSocketListener, UnixSocketTransport};
    let folder = tempfile::tempdir().unwrap();
    let listener = UnixSocketListener::in_folder(folder.path().join("sockets")).unwrap();
    let (a, b) = tokio::join!(UnixSocketTransport::connect(listener.path()), listener.accept());
    Ends { keep: Box::new((listener, folder)), ..Ends::new(a.unwrap(), b.unwrap()) }
}
