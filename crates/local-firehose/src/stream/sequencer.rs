//! Runs the ends of concurrent tasks in the order in which the tasks began.

use tokio::sync::oneshot;

#[derive(Debug, Default)]
pub(super) struct Sequencer(Option<oneshot::Receiver<()>>);

/// A place in the order. Dropping it lets the next ticket go on.
#[derive(Debug)]
pub(super) struct Ticket {
    previous: Option<oneshot::Receiver<()>>,
    _done: oneshot::Sender<()>,
}

impl Sequencer {
    pub(super) fn next(&mut self) -> Ticket {
        let (done, after) = oneshot::channel();
        Ticket { previous: self.0.replace(after), _done: done }
    }

    /// Whether all issued tickets are dropped.
    pub(super) fn is_idle(&mut self) -> bool {
        let idle =
            !matches!(self.0.as_mut().map(oneshot::Receiver::try_recv), Some(Err(oneshot::error::TryRecvError::Empty)));
        if idle {
            // A receiver that has resolved must not be polled again.
            self.0 = None;
        }
        idle
    }
}

impl Ticket {
    /// Waits until the previous ticket is dropped.
    pub(super) async fn wait(&mut self) {
        if let Some(previous) = self.previous.take() {
            // Nothing is ever sent: the sender is dropped.
            let _dropped = previous.await;
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
    async fn tickets_go_on_in_their_order_however_long_each_takes() {
        let (seen, mut order) = mpsc::unbounded_channel();
        let mut sequencer = Sequencer::default();
        for (number, seconds) in [(0, 5), (1, 0), (2, 9), (3, 1)] {
            let (mut ticket, seen) = (sequencer.next(), seen.clone());
            tokio::spawn(async move {
                sleep(Duration::from_secs(seconds)).await;
                ticket.wait().await;
                seen.send(number).unwrap();
            });
        }
        drop(seen);
        assert!(!sequencer.is_idle());
        for expected in 0..4 {
            assert_eq!(order.recv().await, Some(expected));
        }
        assert_eq!(order.recv().await, None);
        for _ in 0..2 {
            assert!(sequencer.is_idle() && sequencer.is_idle());
            let mut next = sequencer.next();
            assert!(!sequencer.is_idle());
            next.wait().await;
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_ticket_waits_for_the_one_before() {
        let mut sequencer = Sequencer::default();
        assert!(sequencer.is_idle());
        let (mut first, mut second) = (sequencer.next(), sequencer.next());
        first.wait().await;
        assert!(timeout(Duration::from_secs(9), second.wait()).await.is_err());
        drop(first);
    }
}
