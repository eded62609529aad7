//! An address that does not answer.

use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use socket2::{Domain, Socket, Type};

/// A listener of loopback that accepts no connection, and whose queue is full: Linux drops further
/// connections.
pub struct Full {
    pub address: String,
    _listener: Socket,
    _queued: Vec<TcpStream>,
}

impl Full {
    pub fn new() -> Self {
        let listener = Socket::new(Domain::IPV4, Type::STREAM, None).expect("there are sockets");
        listener.bind(&SocketAddr::from(([127, 0, 0, 1], 0)).into()).expect("there are ports");
        listener.listen(0).expect("it is bound");
        let address = listener.local_addr().expect("it is bound").as_socket().expect("it is IPv4");
        let mut queued = Vec::new();
        // A connection that is taken is there at once.
        while let Ok(taken) = TcpStream::connect_timeout(&address, Duration::from_millis(200)) {
            queued.push(taken);
            assert!(queued.len() < 16, "the queue does not fill");
        }
        Self { address: address.to_string(), _listener: listener, _queued: queued }
    }
}
