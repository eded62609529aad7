//! Where randomness and the wall clock come from: the system, or a simulation on this thread.

/// The generator of random numbers. It is the system's, and fit for secrets.
#[cfg(not(feature = "simulation"))]
#[must_use]
pub fn rng() -> rand::rngs::ThreadRng {
    rand::rng()
}

/// The wall clock.
#[cfg(not(feature = "simulation"))]
#[must_use]
pub fn wall_clock() -> std::time::SystemTime {
    std::time::SystemTime::now()
}

/// Whether this thread runs a simulation.
#[cfg(not(feature = "simulation"))]
#[must_use]
pub const fn is_simulated() -> bool {
    false
}

/// A random value, fit for secrets.
#[must_use]
pub fn random<T>() -> T
where
    rand::distr::StandardUniform: rand::distr::Distribution<T>,
{
    rand::RngExt::random(&mut rng())
}

#[cfg(feature = "simulation")]
pub use simulated::{Chance, Simulated, is_simulated, rng, wall_clock};

#[cfg(feature = "simulation")]
mod simulated {
    use std::cell::RefCell;
    use std::convert::Infallible;
    use std::fmt;
    use std::marker::PhantomData;
    use std::time::SystemTime;

    use rand::rngs::StdRng;
    use rand::{SeedableRng, TryRng};

    struct Source {
        rng: StdRng,
        clock: fn() -> SystemTime,
    }

    thread_local! {
        static SOURCE: RefCell<Option<Source>> = const { RefCell::new(None) };
    }

    /// Randomness out of a seed, and a clock of one's own, on this thread as long as it is held.
    ///
    /// What is drawn is no secret.
    pub struct Simulated(PhantomData<*const ()>);

    impl Simulated {
        /// Begins. A simulation within another one on the same thread takes its place.
        #[must_use]
        pub fn begin(seed: u64, clock: fn() -> SystemTime) -> Self {
            let source = Source { rng: StdRng::seed_from_u64(seed), clock };
            SOURCE.set(Some(source));
            Self(PhantomData)
        }
    }

    impl Drop for Simulated {
        fn drop(&mut self) {
            SOURCE.set(None);
        }
    }

    impl fmt::Debug for Simulated {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("Simulated")
        }
    }

    /// Whether this thread runs a simulation.
    #[must_use]
    pub fn is_simulated() -> bool {
        SOURCE.with_borrow(Option::is_some)
    }

    /// The wall clock: that of the simulation on this thread, or the system's.
    #[must_use]
    pub fn wall_clock() -> SystemTime {
        let clock = SOURCE.with_borrow(|source| source.as_ref().map(|source| source.clock));
        clock.map_or_else(SystemTime::now, |clock| clock())
    }

    /// The generator of random numbers: that of the simulation on this thread, or the system's.
    #[must_use]
    pub const fn rng() -> Chance {
        Chance
    }

    /// Draws from the simulation on this thread, or from the system.
    #[derive(Debug, Clone, Copy)]
    pub struct Chance;

    fn draw<T>(one: impl Fn(&mut dyn TryRng<Error = Infallible>) -> T) -> T {
        SOURCE.with_borrow_mut(|source| match source {
            Some(source) => one(&mut source.rng),
            None => one(&mut rand::rng()),
        })
    }

    impl TryRng for Chance {
        type Error = Infallible;

        fn try_next_u32(&mut self) -> Result<u32, Infallible> {
            draw(|rng| rng.try_next_u32())
        }

        fn try_next_u64(&mut self) -> Result<u64, Infallible> {
            draw(|rng| rng.try_next_u64())
        }

        fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> Result<(), Infallible> {
            SOURCE.with_borrow_mut(|source| match source {
                Some(source) => source.rng.try_fill_bytes(bytes),
                None => rand::rng().try_fill_bytes(bytes),
            })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::random;

    #[test]
    fn two_draws_differ() {
        assert_ne!(random::<[u8; 32]>(), random::<[u8; 32]>());
    }

    #[cfg(feature = "simulation")]
    #[test]
    fn a_seed_draws_the_same_on_its_thread_only() {
        use std::time::{Duration, SystemTime};

        use super::{Simulated, is_simulated, wall_clock};

        let epoch = || SystemTime::UNIX_EPOCH + Duration::from_secs(7);
        let draw = |seed| {
            let _simulated = Simulated::begin(seed, epoch);
            assert_eq!(wall_clock(), epoch());
            let elsewhere = std::thread::spawn(|| (is_simulated(), random::<[u8; 32]>()));
            (random::<[u8; 32]>(), elsewhere.join().unwrap())
        };
        let (first, second, third) = (draw(1), draw(1), draw(2));
        assert_eq!(first.0, second.0);
        assert_ne!(first.0, third.0);
        assert!(!first.1.0);
        assert_ne!(first.1.1, second.1.1);
        assert!(!is_simulated());
        assert!(wall_clock() > epoch());
    }
}
