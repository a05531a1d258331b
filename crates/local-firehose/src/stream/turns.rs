//! One after the other: what has begun in an order comes to its turn in it, however long each one takes before.

use tokio::sync::oneshot;

/// Gives out turns.
#[derive(Debug, Default)]
pub(super) struct Turns(Option<oneshot::Receiver<()>>);

/// A place in the order. It is over when it is dropped.
#[derive(Debug)]
pub(super) struct Turn {
    before: Option<oneshot::Receiver<()>>,
    _over: oneshot::Sender<()>,
}

impl Turns {
    /// The turn after all that were given out before.
    pub(super) fn next(&mut self) -> Turn {
        let (over, after) = oneshot::channel();
        Turn { before: self.0.replace(after), _over: over }
    }

    /// Whether all turns that were given out are over.
    pub(super) fn are_over(&mut self) -> bool {
        let over =
            !matches!(self.0.as_mut().map(oneshot::Receiver::try_recv), Some(Err(oneshot::error::TryRecvError::Empty)));
        if over {
            // It has said so, and may not be asked again: the next turn is as the first.
            self.0 = None;
        }
        over
    }
}

impl Turn {
    /// Waits until the one before is over.
    pub(super) async fn come(&mut self) {
        if let Some(before) = self.before.take() {
            // Nothing is ever sent: the sender is dropped.
            let _over = before.await;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::sync::mpsc;
    use tokio::time::{sleep, timeout};

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn turns_come_in_their_order_however_long_each_takes() {
        let (seen, mut order) = mpsc::unbounded_channel();
        let mut turns = Turns::default();
        for (number, seconds) in [(0, 5), (1, 0), (2, 9), (3, 1)] {
            let (mut turn, seen) = (turns.next(), seen.clone());
            tokio::spawn(async move {
                sleep(Duration::from_secs(seconds)).await;
                turn.come().await;
                seen.send(number).unwrap();
            });
        }
        drop(seen);
        assert!(!turns.are_over());
        for expected in 0..4 {
            assert_eq!(order.recv().await, Some(expected));
        }
        assert_eq!(order.recv().await, None);
        for _ in 0..2 {
            assert!(turns.are_over() && turns.are_over());
            // What comes then has nobody before it.
            let mut next = turns.next();
            assert!(!turns.are_over());
            next.come().await;
        }
    }

    #[tokio::test(start_paused = true)]
    async fn one_that_is_not_over_keeps_the_next() {
        let mut turns = Turns::default();
        assert!(turns.are_over());
        let (mut first, mut second) = (turns.next(), turns.next());
        first.come().await;
        assert!(timeout(Duration::from_secs(9), second.come()).await.is_err());
        drop(first);
    }
}
