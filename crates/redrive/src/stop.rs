//! How often an end was asked for: once lets the current call end, twice does not.

use tokio::sync::watch;

/// The interrupts so far.
#[derive(Debug, Clone)]
pub(super) struct Stop(watch::Receiver<u32>);

impl Stop {
    /// `interrupts` counts them.
    pub(super) fn new(interrupts: watch::Receiver<u32>) -> Self {
        Self(interrupts)
    }

    /// Whether somebody asked.
    pub(super) fn is_asked(&self) -> bool {
        *self.0.borrow() > 0
    }

    /// Waits until somebody has asked so often.
    pub(super) async fn asked(&mut self, times: u32) {
        if self.0.wait_for(|asked| *asked >= times).await.is_err() {
            // Nobody can ask any more.
            std::future::pending::<()>().await;
        }
    }
}
