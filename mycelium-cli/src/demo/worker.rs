//! The runtime of a feed.

use tokio::runtime::Runtime;

/// Runs a future as a task of a new runtime. A feed that ran on the thread that waits for the
/// runtime, which is none of its workers, would wake a worker for each tick.
///
/// # Errors
/// What the future says, or why it did not run to its end.
pub(crate) fn run<T: Send + 'static>(
    future: impl Future<Output = Result<T, String>> + Send + 'static,
) -> Result<T, String> {
    let runtime = Runtime::new().map_err(|error| format!("the runtime does not start: {error}"))?;
    let task = runtime.spawn(future);
    runtime.block_on(task).map_err(|error| format!("the run ended early: {error}"))?
}

#[cfg(test)]
mod tests {
    use super::run;

    #[test]
    fn it_is_on_a_worker() {
        let here = std::thread::current().id();
        assert_ne!(run(async { Ok(std::thread::current().id()) }), Ok(here));
        assert_eq!(run(async { Err::<(), _>("no".to_owned()) }), Err("no".to_owned()));
        let panicked = run(async { if true { panic!("it burnt") } else { Ok(()) } });
        assert!(panicked.is_err_and(|why| why.contains("the run ended early")));
    }
}
