//! Interrupts: the first finishes the current call, the second aborts it.

use tokio::sync::watch;

#[derive(Debug, Clone)]
pub(super) struct Stop(watch::Receiver<u32>);

impl Stop {
    pub(super) fn new(interrupts: watch::Receiver<u32>) -> Self {
        Self(interrupts)
    }

    pub(super) fn is_requested(&self) -> bool {
        *self.0.borrow() > 0
    }

    /// Waits for the interrupt of this number, counted from one; for ever once there can be no more.
    pub(super) async fn requested(&mut self, number: u32) {
        if self.0.wait_for(|count| *count >= number).await.is_err() {
            std::future::pending::<()>().await;
        }
    }
}
