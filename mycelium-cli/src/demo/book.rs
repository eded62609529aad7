//! An order book as it may have stood beside the recorded trades.
//!
//! A recording of trades holds no book. This one keeps what can be known: a trade took place at the
//! touch, so that the side that was taken from starts at its price, and that much of the best level
//! is gone. What lies behind, and what refills a level that is used up, follows the mean size of
//! the trades so far, and more with the distance, as in real books.

use super::trades::Trade;

/// Levels a side.
pub(crate) const DEPTH: usize = 20;

/// What is offered at one price, in units of [`trades`](super::trades).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Level {
    pub(crate) price: i64,
    pub(crate) size: i64,
}

/// Both sides, best level first.
#[derive(Debug, Clone)]
pub(crate) struct Book {
    pub(crate) bids: [Level; DEPTH],
    pub(crate) asks: [Level; DEPTH],
    /// Between neighbouring levels.
    step: i64,
    /// The moving mean of what was traded at once.
    mean: i64,
}

impl Book {
    /// The book before `first`, with levels `step` apart.
    pub(crate) fn before(first: &Trade, step: i64) -> Self {
        let mut book = Self {
            bids: [Level::default(); DEPTH],
            asks: [Level::default(); DEPTH],
            step,
            mean: first.size.saturating_abs(),
        };
        book.move_asks(first.price);
        book.move_bids(first.price.saturating_sub(step));
        book
    }

    /// The book after one more trade.
    pub(crate) fn apply(&mut self, trade: &Trade) {
        let size = trade.size.saturating_abs();
        self.mean = (self.mean + (size - self.mean) / 16).max(1);
        let (mean, bought) = (self.mean, trade.size > 0);
        if bought {
            self.move_asks(trade.price);
            if self.bids[0].price >= trade.price {
                self.move_bids(trade.price.saturating_sub(self.step));
            }
        } else {
            self.move_bids(trade.price);
            if self.asks[0].price <= trade.price {
                self.move_asks(trade.price.saturating_add(self.step));
            }
        }
        let best = if bought { &mut self.asks[0] } else { &mut self.bids[0] };
        best.size -= size;
        if best.size <= 0 {
            best.size = resting(mean, 0);
        }
    }

    fn move_asks(&mut self, best: i64) {
        shift(&mut self.asks, best, self.step, self.mean);
    }

    fn move_bids(&mut self, best: i64) {
        shift(&mut self.bids, best, -self.step, self.mean);
    }
}

/// What is expected to rest so many levels behind the best.
fn resting(mean: i64, level: usize) -> i64 {
    (mean.saturating_mul(4 + level as i64) / 4).max(1)
}

/// Lets a side start at `best`. Levels that stay in sight keep their size.
fn shift(side: &mut [Level; DEPTH], best: i64, step: i64, mean: i64) {
    if side[0].price == best {
        return;
    }
    let before = *side;
    let moved = i128::from(best) - i128::from(before[0].price);
    let levels = (moved % i128::from(step) == 0).then(|| moved / i128::from(step));
    for (index, level) in side.iter_mut().enumerate() {
        let kept = levels
            .and_then(|levels| usize::try_from(index as i128 + levels).ok())
            .and_then(|index| before.get(index))
            .map(|level| level.size)
            .filter(|size| *size > 0);
        level.price = best.saturating_add(step.saturating_mul(index as i64));
        level.size = kept.unwrap_or_else(|| resting(mean, index));
    }
}

/// The price step of a recording: the greatest common divisor of all differences of prices.
pub(crate) fn price_step(trades: &[Trade]) -> i64 {
    let step = trades.windows(2).fold(0_u64, |step, pair| {
        let difference = pair[0].price.abs_diff(pair[1].price);
        if difference == 0 || step == 1 { step } else { common_divisor(step, difference) }
    });
    i64::try_from(step).unwrap_or(i64::MAX).max(1)
}

fn common_divisor(mut a: u64, mut b: u64) -> u64 {
    while b != 0 {
        (a, b) = (b, a % b);
    }
    a
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn trade(price: i64, size: i64) -> Trade {
        Trade { time_ms: 0, price, size }
    }

    fn prices(side: &[Level]) -> Vec<i64> {
        side.iter().map(|level| level.price).collect()
    }

    #[test]
    fn a_purchase_takes_from_the_best_ask_and_a_sale_from_the_best_bid() {
        let mut book = Book::before(&trade(100, 10), 2);
        let asked = book.asks[0];
        assert_eq!((asked.price, book.bids[0].price), (100, 98));
        book.apply(&trade(100, 4));
        assert_eq!(book.asks[0], Level { price: 100, size: asked.size - 4 });
        let bid = book.bids[0];
        book.apply(&trade(98, -3));
        assert_eq!(book.bids[0], Level { price: 98, size: bid.size - 3 });
    }

    #[test]
    fn levels_in_sight_keep_their_size_when_the_touch_moves() {
        let mut book = Book::before(&trade(100, 1000), 2);
        let behind = book.asks[3];
        book.apply(&trade(104, 1));
        assert_eq!(prices(&book.asks)[..3], [104, 106, 108]);
        assert_eq!(book.asks[1], behind);
    }

    #[test]
    fn a_sale_above_the_best_ask_moves_both_sides() {
        let mut book = Book::before(&trade(100, 10), 2);
        book.apply(&trade(110, -10));
        assert_eq!((book.bids[0].price, book.asks[0].price), (110, 112));
    }

    #[test]
    fn the_step_divides_all_differences() {
        let trades = [100, 150, 175, 100].map(|price| trade(price, 1));
        assert_eq!(price_step(&trades), 25);
        assert_eq!(price_step(&trades[..1]), 1);
        assert_eq!(price_step(&[]), 1);
    }

    proptest! {
        #[test]
        fn whatever_is_traded_the_book_stands(
            trades in prop::collection::vec((1_000_i64..1_000_000, -1_000_000_i64..1_000_000), 1..50),
            step in 1_i64..50,
        ) {
            let trades: Vec<Trade> = trades
                .into_iter()
                .map(|(price, size)| trade(price, if size == 0 { 1 } else { size }))
                .collect();
            let mut book = Book::before(&trades[0], step);
            for trade in &trades {
                book.apply(trade);
                let touched = if trade.size > 0 { book.asks[0] } else { book.bids[0] };
                prop_assert_eq!(touched.price, trade.price);
                prop_assert!(book.bids[0].price < book.asks[0].price);
                prop_assert!(book.asks.windows(2).all(|pair| pair[1].price - pair[0].price == step));
                prop_assert!(book.bids.windows(2).all(|pair| pair[0].price - pair[1].price == step));
                prop_assert!(book.asks.iter().chain(&book.bids).all(|level| level.size > 0));
            }
        }

        #[test]
        fn extreme_trades_do_not_overflow(
            price in 1..i64::MAX, size in i64::MIN..-1, other in 1..i64::MAX, step in 1..i64::MAX,
        ) {
            let mut book = Book::before(&trade(price, size), step);
            book.apply(&trade(other, i64::MAX));
            book.apply(&trade(price, size));
        }
    }
}
