//! The sender's end of a channel's credit.

/// What the sender may still send.
///
/// | event \ state | credit enough | credit short | blocked |
/// |---|---|---|---|
/// | `Asked` | `Send` | `Blocked`, becomes blocked | `Blocked` |
/// | `Granted` | – | – | `Wake`, if the total grew; no longer blocked |
/// | `Sent` | credit falls | credit may fall below nothing: one large row | never happens |
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Window {
    granted: u64,
    sent: u64,
    blocked: bool,
}

/// What happens to a window.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WindowEvent {
    /// The sender wants to send, and sends nothing for less credit than this.
    Asked {
        /// The least that is of use; never above [`super::EXCLUSIVE`], or the sender might wait for ever.
        least: u64,
    },
    /// A batch of this cost was sent.
    Sent {
        /// Its cost.
        cost: u64,
    },
    /// The receiver has granted so much since the channel was opened.
    Granted {
        /// In total.
        total: u64,
    },
}

/// What is to be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WindowAction {
    /// So much may be sent.
    Send {
        /// Bytes of credit.
        credit: u64,
    },
    /// Nothing may be sent; a `Wake` follows.
    Blocked,
    /// The sender is to ask again.
    Wake,
    /// Nothing.
    None,
}

impl Window {
    /// Takes an event.
    pub fn on(&mut self, event: WindowEvent) -> WindowAction {
        match event {
            WindowEvent::Asked { least } => {
                let credit = self.credit();
                self.blocked = credit < least.max(1);
                if self.blocked {
                    WindowAction::Blocked
                } else {
                    WindowAction::Send { credit }
                }
            }
            WindowEvent::Sent { cost } => {
                self.sent += cost;
                WindowAction::None
            }
            WindowEvent::Granted { total } if total > self.granted => {
                self.granted = total;
                if std::mem::take(&mut self.blocked) {
                    WindowAction::Wake
                } else {
                    WindowAction::None
                }
            }
            WindowEvent::Granted { .. } => WindowAction::None,
        }
    }

    /// Bytes that may be sent now; zero where a large row has overdrawn.
    #[must_use]
    pub fn credit(&self) -> u64 {
        self.granted.saturating_sub(self.sent)
    }

    /// Bytes sent since the channel was opened.
    #[must_use]
    pub fn sent(&self) -> u64 {
        self.sent
    }
}
