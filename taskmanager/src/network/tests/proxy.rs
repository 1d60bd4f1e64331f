//! A line with faults: cuts connections in the middle of whatever passes, and flips bits.

use std::io::{self, Read as _, Write as _};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use dataflow::scope::Scope;
use tokio::runtime::Handle;

/// What goes wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fault {
    /// Both directions of a connection break.
    Cut,
    /// One bit arrives inverted, and the bytes go on.
    Flip,
    /// Nothing passes any more, and nobody says so: a peer that is gone without a word.
    Silence,
}

/// Passes bytes on between whoever dials it and one target.
pub(super) struct Proxy {
    pub(super) address: SocketAddr,
    shared: Arc<Shared>,
}

struct Shared {
    target: SocketAddr,
    fault: Fault,
    /// A fault comes after up to this many bytes.
    every: u64,
    faults: AtomicU64,
    random: AtomicU64,
    /// From now on the line is good.
    healed: AtomicBool,
    scope: Scope,
}

impl Proxy {
    pub(super) fn start(target: SocketAddr, fault: Fault, every: u64, seed: u64, runtime: &Handle) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let shared = Arc::new(Shared {
            target,
            fault,
            every,
            faults: AtomicU64::new(0),
            random: AtomicU64::new(seed),
            healed: AtomicBool::new(false),
            scope: Scope::root("proxy", runtime.clone()),
        });
        let accepting = Arc::clone(&shared);
        shared
            .scope
            .thread(
                move || {
                    for client in listener.incoming() {
                        accepting.connect(client.unwrap());
                    }
                },
                |_| {},
            )
            .unwrap();
        Self { address, shared }
    }

    pub(super) fn faults(&self) -> u64 {
        self.shared.faults.load(Ordering::Relaxed)
    }

    pub(super) fn heal(&self) {
        self.shared.healed.store(true, Ordering::Relaxed);
    }
}

impl Shared {
    fn random(&self, below: u64) -> u64 {
        // A Weyl sequence through a mixer: faults differ, and a seed repeats them.
        let state = self.random.fetch_add(0x9e37_79b9_7f4a_7c15, Ordering::Relaxed);
        dataflow::key::hash(&state.to_le_bytes()) % below.max(1)
    }

    fn connect(self: &Arc<Self>, client: TcpStream) {
        let Ok(server) = TcpStream::connect(self.target) else {
            return;
        };
        for (from, to) in [(&client, &server), (&server, &client)] {
            let (from, to) = (from.try_clone().unwrap(), to.try_clone().unwrap());
            let (shared, first) = (Arc::clone(self), self.random(self.every));
            self.scope.thread(move || shared.pass(from, to, first), |_| {}).unwrap();
        }
    }

    /// One direction of one connection, with the first fault after `left` bytes, until it ends or is cut.
    fn pass(&self, mut from: TcpStream, mut to: TcpStream, mut left: u64) {
        let mut bytes = vec![0; 16 << 10];
        let passed = loop {
            let count = match from.read(&mut bytes) {
                Ok(0) => break Ok(()),
                Ok(count) => count,
                Err(error) => break Err(error),
            };
            let healed = self.healed.load(Ordering::Relaxed);
            let place = usize::try_from(left).unwrap();
            let whole = healed || place >= count;
            left = left.saturating_sub(count as u64);
            if !whole {
                self.faults.fetch_add(1, Ordering::Relaxed);
                left = self.random(self.every);
                match self.fault {
                    Fault::Cut => {
                        break to
                            .write_all(&bytes[..place])
                            .and_then(|()| Err(io::ErrorKind::BrokenPipe.into()));
                    }
                    Fault::Flip => bytes[place] ^= 1 << self.random(8),
                    Fault::Silence => {
                        // Once is enough: it takes seconds to be noticed.
                        self.healed.store(true, Ordering::Relaxed);
                        break swallow(&mut from);
                    }
                }
            }
            if let Err(error) = to.write_all(&bytes[..count]) {
                break Err(error);
            }
        };
        let how = if passed.is_ok() {
            Shutdown::Write
        } else {
            Shutdown::Both
        };
        let _ = (from.shutdown(how), to.shutdown(how));
    }
}

/// Takes what comes until whoever sends it gives up.
fn swallow(from: &mut TcpStream) -> io::Result<()> {
    io::copy(from, &mut io::sink()).and_then(|_| Err(io::ErrorKind::BrokenPipe.into()))
}
