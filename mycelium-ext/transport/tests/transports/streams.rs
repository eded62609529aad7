//! What is particular to TCP, TLS and streams of the application.

use std::io;

use mycelium_transport::{TcpTransport, TlsTransport, Transport};
use tokio::net::{TcpListener, TcpStream};

use crate::kinds::{stream, streamed, tls_configuration};

#[tokio::test]
async fn tcp_sends_at_once_and_knows_its_addresses() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let stream = TcpStream::connect(address).await.unwrap();
    let local = stream.local_addr().unwrap();
    let socket = socket2::SockRef::from(&stream).try_clone().unwrap();
    let transport = TcpTransport::new(stream);
    assert!(socket.tcp_nodelay().unwrap());
    assert_eq!((transport.peer(), transport.local()), (address.to_string(), local.to_string()));
    assert_eq!((transport.peer_addr(), transport.local_addr()), (Some(address), Some(local)));
}

#[tokio::test]
async fn tls_refuses_a_certificate_for_another_name() {
    let (acceptor, connector) = tls_configuration();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let name = "elsewhere.example".try_into().unwrap();
    let (client, server) = tokio::join!(TlsTransport::connect(address, name, &connector), async {
        TlsTransport::accept(listener.accept().await.unwrap().0, &acceptor).await
    });
    let error = client.unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::InvalidData, "{error}");
    assert!(server.is_err());
}

#[tokio::test]
async fn garbage_is_no_tls_handshake() {
    let (acceptor, _) = tls_configuration();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let stream = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
    stream.writable().await.unwrap();
    assert_eq!(stream.try_write(&[0x5a; 64]).unwrap(), 64);
    let accepted = TlsTransport::accept(listener.accept().await.unwrap().0, &acceptor).await;
    assert_eq!(accepted.unwrap_err().kind(), io::ErrorKind::InvalidData);
}

#[tokio::test]
async fn a_stream_keeps_its_labels() {
    let labelled = stream().await.a;
    assert_eq!(labelled.local(), "duplex");
    assert_eq!(labelled.peer(), "duplex's peer");

    let (stream, _other) = tokio::io::duplex(1);
    let bare = streamed(stream, None);
    assert_eq!((bare.local(), bare.peer()), ("external".to_owned(), "external".to_owned()));
}
