//! One connection of a scraper: HTTP/1.1, one request, one answer. It never waits.

use std::io::{self, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::classic;

/// The bytes of the largest request.
const LARGEST_REQUEST: usize = 8 * 1024;
/// The time for a request to come.
const PATIENCE: Duration = Duration::from_secs(5);
/// The time for an answer to be taken.
const TAKING: Duration = Duration::from_secs(10);
/// The time for the client to close, so that it gets all of the answer.
const LEAVING: Duration = Duration::from_secs(1);
/// The bytes that are read from a client that leaves.
const LEFT: usize = 64 * 1024;

/// The content type of OpenMetrics.
const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// The end of a request's head.
const BLANK: &[u8] = b"\r\n\r\n";

/// A connection, and how far it is.
#[derive(Debug)]
pub(super) struct Connection {
    stream: TcpStream,
    deadline: Instant,
    state: State,
}

#[derive(Debug)]
enum State {
    /// The request comes.
    Asking(Vec<u8>),
    /// The answer goes: its head, and its body.
    Answering { parts: [Arc<[u8]>; 2], done: usize },
    /// All is said. So many bytes are still read from it.
    Leaving(usize),
}

/// What the server does with a connection next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Next {
    /// Waits until there is something to read, or room to write.
    Waits,
    /// Closes it.
    Ends,
}

impl Connection {
    /// # Errors
    /// The connection is broken already.
    pub(super) fn new(stream: TcpStream) -> io::Result<Self> {
        stream.set_nonblocking(true)?;
        let state = State::Asking(Vec::new());
        Ok(Self { stream, deadline: Instant::now() + PATIENCE, state })
    }

    pub(super) fn stream(&self) -> &TcpStream {
        &self.stream
    }

    pub(super) fn deadline(&self) -> Instant {
        self.deadline
    }

    /// Whether its request has not come.
    pub(super) fn is_asking(&self) -> bool {
        matches!(self.state, State::Asking(_))
    }

    /// Whether it waits for room to write, and not for something to read.
    pub(super) fn is_answering(&self) -> bool {
        matches!(self.state, State::Answering { .. })
    }

    /// Goes on as far as it goes without waiting. `page` makes the figures.
    ///
    /// # Errors
    /// The connection is broken, or the request is none.
    pub(super) fn go_on(&mut self, page: &mut dyn FnMut() -> Arc<[u8]>) -> io::Result<Next> {
        loop {
            let advanced = match &mut self.state {
                State::Asking(request) => match read(&mut self.stream, request)? {
                    None => return Ok(Next::Waits),
                    Some(0) => return Ok(Next::Ends),
                    Some(_) => reply(request, page).map(|parts| (TAKING, answering(parts))),
                },
                State::Answering { parts, done } => match write(&mut self.stream, parts, done)? {
                    None => return Ok(Next::Waits),
                    Some(()) => {
                        self.stream.shutdown(Shutdown::Write)?;
                        Some((LEAVING, State::Leaving(LEFT)))
                    }
                },
                State::Leaving(left) => {
                    let mut rest = Vec::new();
                    match read(&mut self.stream, &mut rest)? {
                        None => return Ok(Next::Waits),
                        Some(0) => return Ok(Next::Ends),
                        Some(more) if more > *left => return Ok(Next::Ends),
                        Some(more) => *left -= more,
                    }
                    None
                }
            };
            if let Some((time, state)) = advanced {
                (self.deadline, self.state) = (Instant::now() + time, state);
            }
        }
    }
}

fn answering(parts: [Arc<[u8]>; 2]) -> State {
    State::Answering { parts, done: 0 }
}

/// Reads a piece. `None`: there is none yet; 0: there will be none.
fn read(stream: &mut TcpStream, into: &mut Vec<u8>) -> io::Result<Option<usize>> {
    let mut piece = [0; 1024];
    loop {
        match stream.read(&mut piece) {
            Ok(read) => {
                into.extend_from_slice(&piece[..read]);
                return Ok(Some(read));
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(None),
            Err(error) => return Err(error),
        }
    }
}

/// Writes what is left. `None`: there is no room yet.
fn write(
    stream: &mut TcpStream,
    parts: &[Arc<[u8]>; 2],
    done: &mut usize,
) -> io::Result<Option<()>> {
    let [head, body] = parts;
    loop {
        let rest = match done.checked_sub(head.len()) {
            None => &head[*done..],
            Some(of_body) => &body[of_body..],
        };
        if rest.is_empty() {
            return Ok(Some(()));
        }
        match stream.write(rest) {
            Ok(written) => *done += written,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(None),
            Err(error) => return Err(error),
        }
    }
}

/// The answer to a request, once all of its head has come.
fn reply(request: &[u8], page: &mut dyn FnMut() -> Arc<[u8]>) -> Option<[Arc<[u8]>; 2]> {
    if !request.windows(BLANK.len()).any(|part| part == BLANK) {
        let is_too_large = request.len() > LARGEST_REQUEST;
        return is_too_large.then(|| refusal("431 Request Header Fields Too Large"));
    }
    let line = request.split(|byte| *byte == b'\r').next().unwrap_or_default();
    let mut words = line.split(|byte| *byte == b' ');
    let (Some(method), Some(target), Some(version), None) =
        (words.next(), words.next(), words.next(), words.next())
    else {
        return Some(refusal("400 Bad Request"));
    };
    let path = target.split(|byte| *byte == b'?').next();
    Some(if !version.starts_with(b"HTTP/1.") {
        refusal("505 HTTP Version Not Supported")
    } else if path != Some(b"/metrics") {
        refusal("404 Not Found")
    } else if method != b"GET" {
        refusal("405 Method Not Allowed\r\nAllow: GET")
    } else {
        let body = page();
        if takes_open_metrics(request) {
            [head("200 OK", OPEN_METRICS, &body), body]
        } else {
            let body = classic::page(&String::from_utf8_lossy(&body));
            let body: Arc<[u8]> = body.into_bytes().into();
            [head("200 OK", classic::TYPE, &body), body]
        }
    })
}

/// Whether the head of a request says that its client reads OpenMetrics.
fn takes_open_metrics(request: &[u8]) -> bool {
    let head = String::from_utf8_lossy(request).to_ascii_lowercase();
    let mut fields = head.split("\r\n").skip(1).take_while(|line| !line.is_empty());
    fields.any(|line| line.starts_with("accept:") && line.contains("application/openmetrics-text"))
}

fn refusal(status: &str) -> [Arc<[u8]>; 2] {
    let body: Arc<[u8]> = Arc::from(b"GET /metrics\n".as_slice());
    [head(status, "text/plain; charset=utf-8", &body), body]
}

fn head(status: &str, kind: &str, body: &[u8]) -> Arc<[u8]> {
    let head = format!(
        "HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {}\r\n\
         Cache-Control: no-store\r\nConnection: close\r\n\r\n",
        body.len()
    );
    head.into_bytes().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn status(request: &str) -> Option<String> {
        let mut page = || Arc::from(b"figures".as_slice());
        let [head, body] = reply(request.as_bytes(), &mut page)?;
        let head = String::from_utf8(head.to_vec()).unwrap();
        assert!(head.contains(&format!("\r\nContent-Length: {}\r\n", body.len())), "{head}");
        let line = head.lines().next().unwrap();
        Some(line.strip_prefix("HTTP/1.1 ").unwrap().to_owned())
    }

    #[test]
    fn only_get_of_metrics_is_answered() {
        assert_eq!(status("GET /metrics HTTP/1.1\r\n\r\n").unwrap(), "200 OK");
        assert_eq!(status("GET /metrics?x=1 HTTP/1.0\r\nHost: a\r\n\r\n").unwrap(), "200 OK");
        for (request, expected) in [
            ("POST /metrics HTTP/1.1\r\n\r\n", "405"),
            ("GET / HTTP/1.1\r\n\r\n", "404"),
            ("GET /metrics/../etc HTTP/1.1\r\n\r\n", "404"),
            ("GET /metrics HTTP/2\r\n\r\n", "505"),
            ("GET /metrics\r\n\r\n", "400"),
            ("GET  /metrics HTTP/1.1\r\n\r\n", "400"),
            ("\r\n\r\n", "400"),
        ] {
            assert!(status(request).unwrap().starts_with(expected), "{request:?}");
        }
    }

    #[test]
    fn who_does_not_ask_for_open_metrics_gets_the_older_format() {
        let ask = |fields: &str| {
            takes_open_metrics(format!("GET /metrics HTTP/1.1\r\n{fields}\r\n").as_bytes())
        };
        assert!(ask("Host: a\r\nACCEPT: Application/OpenMetrics-Text;version=1.0.0,*/*\r\n"));
        assert!(!ask("Accept: text/plain\r\n"));
        assert!(!ask("") && !ask("X: application/openmetrics-text\r\n"));
        assert!(!ask("\r\nAccept: application/openmetrics-text\r\n"), "that is the body");
    }

    #[test]
    fn a_request_without_an_end_is_refused_when_it_is_too_large() {
        assert_eq!(status("GET /metrics HTTP/1.1\r\nHost: a\r\n"), None);
        let long = format!("GET /metrics HTTP/1.1\r\nHost: {}", "a".repeat(LARGEST_REQUEST));
        assert!(status(&long).unwrap().starts_with("431"));
    }
}
