//! Feed or readers of the bench `fan`, against stock ractor.

mod actors;
mod child;
mod flavour;
mod message;

#[tokio::main(worker_threads = 2)]
async fn main() -> Result<(), flavour::Failure> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    // In a task, as actors are.
    match words[..] {
        ["feed", _, processes, readers] => {
            let (processes, readers) = (processes.parse()?, readers.parse()?);
            tokio::spawn(async move { actors::feed("tcp", processes, readers).await }).await?
        }
        ["readers", _, number, address, readers] => {
            let (number, address) = (number.to_owned(), address.to_owned());
            let readers = readers.parse()?;
            tokio::spawn(async move { actors::read("tcp", &number, &address, readers).await })
                .await?
        }
        _ => Err("the bench `fan` starts it".into()),
    }
}
