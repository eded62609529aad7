//! Unix sockets, and what may be wrong with them.

use std::fs::{self, Permissions};
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::os::unix::net::UnixListener;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use mycelium_transport::unix::{
    FolderProblem, PATH_LIMIT, UnixConnectError, UnixListenError, runtime_folder,
};
use mycelium_transport::{Transport, UnixSocketListener, UnixSocketTransport};
use socket2::{Domain, SockAddr, Socket, Type};
use tempfile::TempDir;

use crate::ends::watched;

/// A listener removes no file of another.
const OTHER: u32 = 65_534;

fn private() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    set_mode(folder.path(), 0o700);
    folder
}

fn set_mode(path: &Path, mode: u32) {
    fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
}

fn mode(path: &Path) -> u32 {
    path.metadata().unwrap().mode() & 0o7777
}

/// Gives a file to another user; false, and a line, where that is not permitted.
fn give_away(path: &Path) -> bool {
    match std::os::unix::fs::chown(path, Some(OTHER), None) {
        Ok(()) => true,
        Err(error) => {
            println!("SKIPPED: files cannot be given to another user: {error}");
            false
        }
    }
}

/// A socket whose process is gone. It never listened: a child that another test starts just now has
/// a copy of each descriptor until it runs its program, and one that listens would be answered by
/// that copy.
fn stale(path: &Path) {
    let socket = Socket::new(Domain::UNIX, Type::STREAM, None).unwrap();
    socket.bind(&SockAddr::unix(path).unwrap()).unwrap();
    assert!(path.exists());
}

fn names(folder: &Path) -> Vec<String> {
    let entries = folder.read_dir().unwrap();
    let mut names: Vec<_> =
        entries.map(|it| it.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

#[tokio::test]
async fn the_folder_and_the_socket_are_private_and_the_socket_goes_with_its_listener() {
    let parent = tempfile::tempdir().unwrap();
    let folder = parent.path().join("sockets");
    let listener = UnixSocketListener::in_folder(&folder).unwrap();
    assert_eq!(mode(&folder), 0o700);
    assert_eq!(mode(listener.path()), 0o600);
    let second = UnixSocketListener::in_folder(&folder).unwrap();
    assert_eq!(names(&folder).len(), 2, "the second one let the first one live");
    drop((listener, second));
    assert!(names(&folder).is_empty());
}

#[tokio::test]
async fn an_automatic_listener_is_in_the_folder_of_this_user() {
    let listener = UnixSocketListener::automatic().unwrap();
    let path = listener.path().to_owned();
    assert_eq!(path.parent(), Some(&*runtime_folder()));
    let name = path.file_name().unwrap().to_str().unwrap();
    assert!(name.starts_with(&format!("{}-", std::process::id())) && name.ends_with(".sock"));
    drop(listener);
    assert!(!path.exists());
}

#[tokio::test]
async fn both_ends_have_labels() {
    let folder = private();
    let listener = UnixSocketListener::at(folder.path().join("node.sock")).unwrap();
    let (client, server) =
        tokio::join!(UnixSocketTransport::connect(listener.path()), listener.accept());
    let (client, server) = (client.unwrap(), server.unwrap());
    let path = listener.path().display().to_string();
    assert_eq!((client.peer(), server.local()), (path.clone(), path));
    assert_eq!(client.local(), format!("process {}", std::process::id()));
    if cfg!(target_os = "linux") {
        assert_eq!(server.peer(), client.local());
    }
}

#[tokio::test]
async fn a_socket_that_took_its_place_is_left_alone() {
    let folder = private();
    let path = folder.path().join("node.sock");
    let first = UnixSocketListener::at(&path).unwrap();
    fs::remove_file(&path).unwrap();
    // An inode that is free may be used again at once.
    let _occupied = fs::write(folder.path().join("other"), "");
    let _second = UnixListener::bind(&path).unwrap();
    drop(first);
    assert!(path.exists());
}

#[tokio::test]
async fn only_dead_sockets_of_ours_are_swept() {
    let folder = private();
    let live = folder.path().join("1-00000001.sock");
    let _live = UnixListener::bind(&live).unwrap();
    stale(&folder.path().join("1-00000002.sock"));
    stale(&folder.path().join("by-hand.sock"));
    fs::write(folder.path().join("1-00000003.sock"), "no socket").unwrap();
    symlink("1-00000002.sock", folder.path().join("1-00000004.sock")).unwrap();
    let listener = UnixSocketListener::in_folder(folder.path()).unwrap();
    drop(listener);
    let left = ["1-00000001.sock", "1-00000003.sock", "1-00000004.sock", "by-hand.sock"];
    assert_eq!(names(folder.path()), left);
}

#[tokio::test]
async fn a_listener_whose_queue_is_full_is_alive() {
    let folder = private();
    let path = folder.path().join("1-00000001.sock");
    let socket = socket2::Socket::new(socket2::Domain::UNIX, socket2::Type::STREAM, None).unwrap();
    socket.bind(&socket2::SockAddr::unix(&path).unwrap()).unwrap();
    socket.listen(1).unwrap();
    let mut waiting = Vec::new();
    // Until one more would have to wait.
    loop {
        let next =
            socket2::Socket::new(socket2::Domain::UNIX, socket2::Type::STREAM, None).unwrap();
        next.set_nonblocking(true).unwrap();
        match next.connect(&socket2::SockAddr::unix(&path).unwrap()) {
            Ok(()) => waiting.push(next),
            Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => break,
            Err(error) => {
                println!("SKIPPED: this system refuses where a queue is full: {error}");
                return;
            }
        }
    }
    drop(UnixSocketListener::in_folder(folder.path()).unwrap());
    assert!(path.exists());
    let taken = UnixSocketListener::at(&path).unwrap_err();
    assert!(matches!(taken, UnixListenError::Taken { .. }), "{taken}");
}

#[tokio::test]
async fn a_folder_that_is_not_private_is_refused() {
    let parent = private();
    let refused = |folder: &Path| match UnixSocketListener::in_folder(folder) {
        Err(error @ UnixListenError::Folder { problem, .. }) => {
            let text = error.to_string();
            assert!(text.contains(folder.to_str().unwrap()), "{text}");
            problem
        }
        other => panic!("{other:?}"),
    };

    let open = parent.path().join("open");
    fs::create_dir(&open).unwrap();
    for mode in [0o755, 0o710, 0o701, 0o1777] {
        set_mode(&open, mode);
        assert_eq!(refused(&open), FolderProblem::NotPrivate { mode });
    }

    let file = parent.path().join("file");
    fs::write(&file, "").unwrap();
    assert_eq!(refused(&file), FolderProblem::NotAFolder);

    let real = parent.path().join("real");
    fs::create_dir(&real).unwrap();
    set_mode(&real, 0o700);
    let link = parent.path().join("link");
    symlink(&real, &link).unwrap();
    assert_eq!(refused(&link), FolderProblem::Symlink);
    let nowhere = parent.path().join("nowhere");
    symlink("nothing", &nowhere).unwrap();
    assert_eq!(refused(&nowhere), FolderProblem::Symlink);

    if give_away(&real) {
        assert_eq!(refused(&real), FolderProblem::NotOurs { owner: OTHER });
    }
    assert!(names(&open).is_empty() && names(&real).is_empty(), "nothing was made there");
}

#[tokio::test]
async fn a_path_that_is_too_long_is_told_with_its_length() {
    let folder = private();
    let base = folder.path().as_os_str().len() + 1;
    let fits = folder.path().join("x".repeat(PATH_LIMIT - base));
    drop(UnixSocketListener::at(&fits).unwrap());
    let long = folder.path().join("x".repeat(PATH_LIMIT - base + 1));
    let error = UnixSocketListener::at(&long).unwrap_err();
    assert!(
        matches!(error, UnixListenError::PathTooLong { length, .. } if length == PATH_LIMIT + 1)
    );
    let text = error.to_string();
    for part in [long.to_str().unwrap(), &PATH_LIMIT.to_string(), &(PATH_LIMIT + 1).to_string()] {
        assert!(text.contains(part), "{text} lacks {part}");
    }
    let error = UnixSocketListener::in_folder(folder.path().join("x".repeat(100))).unwrap_err();
    assert!(matches!(error, UnixListenError::PathTooLong { .. }), "{error}");
    let error = UnixSocketTransport::connect(&long).await.unwrap_err();
    assert!(matches!(error, UnixConnectError::PathTooLong { .. }), "{error}");
}

#[tokio::test]
async fn a_path_that_is_taken_is_refused_and_a_stale_one_is_taken() {
    let folder = private();
    let path = folder.path().join("node.sock");
    stale(&path);
    let listener = UnixSocketListener::at(&path).unwrap();
    let error = UnixSocketListener::at(&path).unwrap_err();
    assert!(matches!(error, UnixListenError::Taken { .. }), "{error}");
    // The one that lives still answers.
    let (client, server) = tokio::join!(UnixSocketTransport::connect(&path), listener.accept());
    client.unwrap();
    server.unwrap();
}

#[tokio::test]
async fn what_is_no_socket_of_ours_is_not_touched() {
    let folder = private();
    let file = folder.path().join("file");
    fs::write(&file, "precious").unwrap();
    let error = UnixSocketListener::at(&file).unwrap_err();
    assert!(matches!(error, UnixListenError::NotASocket { .. }), "{error}");
    assert_eq!(fs::read_to_string(&file).unwrap(), "precious");

    let link = folder.path().join("link");
    symlink(&file, &link).unwrap();
    let error = UnixSocketListener::at(&link).unwrap_err();
    assert!(matches!(error, UnixListenError::NotASocket { .. }), "{error}");

    for path in ["", "/", ".."] {
        let error = UnixSocketListener::at(path).unwrap_err();
        assert!(matches!(error, UnixListenError::NoName { .. }), "{error}");
    }
    let missing = folder.path().join("missing/node.sock");
    let error = UnixSocketListener::at(missing).unwrap_err();
    assert!(matches!(error, UnixListenError::Io { .. }), "{error}");

    let foreign = folder.path().join("foreign");
    stale(&foreign);
    if give_away(&foreign) {
        let error = UnixSocketListener::at(&foreign).unwrap_err();
        assert!(matches!(error, UnixListenError::NotOurs { owner: OTHER, .. }), "{error}");
        assert!(foreign.exists());
        let error = UnixSocketTransport::connect(&foreign).await.unwrap_err();
        assert!(matches!(error, UnixConnectError::NotOurs { owner: OTHER, .. }), "{error}");
    }
}

#[tokio::test]
async fn a_folder_that_all_may_write_to_is_refused_unless_it_is_sticky() {
    let folder = private();
    set_mode(folder.path(), 0o777);
    let path = folder.path().join("node.sock");
    let error = UnixSocketListener::at(&path).unwrap_err();
    let UnixListenError::Folder { problem, .. } = error else { panic!("{error}") };
    assert_eq!(problem, FolderProblem::Unprotected { mode: 0o777 });
    set_mode(folder.path(), 0o1777);
    UnixSocketListener::at(&path).unwrap();
}

#[tokio::test]
async fn connecting_to_what_does_not_listen_says_where() {
    let folder = private();
    let path = folder.path().join("node.sock");
    let error = UnixSocketTransport::connect(&path).await.unwrap_err();
    assert!(error.to_string().contains(path.to_str().unwrap()), "{error}");
    stale(&path);
    let error = std::io::Error::from(UnixSocketTransport::connect(&path).await.unwrap_err());
    assert_eq!(error.kind(), std::io::ErrorKind::ConnectionRefused);
    fs::remove_file(&path).unwrap();
    fs::write(&path, "").unwrap();
    let error = UnixSocketTransport::connect(&path).await.unwrap_err();
    assert!(matches!(error, UnixConnectError::NotASocket { .. }), "{error}");
}

/// A process of another user, which ends with the test.
struct Stranger(Child);

impl Drop for Stranger {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

const TASK: &str = "MYCELIUM_TEST_STRANGER";
const PLACE: &str = "MYCELIUM_TEST_SOCKET";

/// Runs [`stranger`] as another user; `None`, and a line, where that is not permitted.
fn stranger(task: &str, path: &Path) -> Option<Stranger> {
    let program = std::env::current_exe().unwrap();
    let child = Command::new(program)
        .args(["--exact", "unix::what_a_stranger_does", "--nocapture"])
        .env(TASK, task)
        .env(PLACE, path)
        .current_dir("/")
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .uid(OTHER)
        .spawn();
    match child {
        Ok(child) => Some(Stranger(child)),
        Err(error) => {
            println!("SKIPPED: no process can be run as another user: {error}");
            None
        }
    }
}

/// Does nothing when it is run as a test: its work is that of another user's process.
#[test]
fn what_a_stranger_does() {
    let (Ok(task), Some(path)) = (std::env::var(TASK), std::env::var_os(PLACE)) else { return };
    let path = PathBuf::from(path);
    match &*task {
        "connect" => {
            let mut stream = std::os::unix::net::UnixStream::connect(path).unwrap();
            // The other end is closed without a byte.
            assert_eq!(std::io::Read::read(&mut stream, &mut [0]).unwrap(), 0);
        }
        "listen" => {
            let _listener = UnixListener::bind(path).unwrap();
            // Until the test is over.
            let _ = std::io::Read::read(&mut std::io::stdin(), &mut [0]);
        }
        other => panic!("{other}"),
    }
}

#[tokio::test]
async fn a_connection_of_another_user_is_refused_and_the_next_one_accepted() {
    let folder = private();
    let listener = UnixSocketListener::at(folder.path().join("node.sock")).unwrap();
    let path = listener.path().to_owned();
    // As if both had been opened by hand.
    set_mode(folder.path(), 0o755);
    set_mode(&path, 0o666);
    let log = crate::log::Log::default();
    let _guard = tracing::subscriber::set_default(log.clone());
    let Some(mut child) = stranger("connect", &path) else { return };
    let serve = async { listener.accept().await };
    let connect = async {
        // Once the stranger was sent away, one of this user comes.
        let status = tokio::task::spawn_blocking(move || child.0.wait().unwrap()).await.unwrap();
        assert!(status.success());
        UnixSocketTransport::connect(&path).await.unwrap()
    };
    let (accepted, _client) = watched(async { tokio::join!(serve, connect) }).await;
    let label = format!("process {}", std::process::id());
    assert_eq!(accepted.unwrap().peer(), label, "the stranger was let in");
    assert_eq!(log.lines_with(&format!("uid={OTHER}")), 1);
}

#[tokio::test]
async fn a_listener_of_another_user_gains_nothing() {
    let folder = private();
    set_mode(folder.path(), 0o1777);
    let path = folder.path().join("node.sock");
    let Some(_child) = stranger("listen", &path) else { return };
    watched(async {
        while !path.exists() {
            tokio::task::yield_now().await;
        }
    })
    .await;
    let error = UnixSocketTransport::connect(&path).await.unwrap_err();
    assert!(matches!(error, UnixConnectError::NotOurs { owner: OTHER, .. }), "{error}");
    // Even where the file itself is ours.
    let us = folder.path().metadata().unwrap().uid();
    std::os::unix::fs::chown(&path, Some(us), None).unwrap();
    let impostor = watched(async {
        loop {
            match UnixSocketTransport::connect(&path).await {
                // Made, and not yet listened on.
                Err(UnixConnectError::Io { .. }) => tokio::task::yield_now().await,
                other => break other.unwrap_err(),
            }
        }
    })
    .await;
    assert!(matches!(impostor, UnixConnectError::Impostor { user: OTHER, .. }), "{impostor}");
}
