//! Server-sent events: an overview or a datastream, once a second, for whoever listens.
//!
//! ```text
//!   jobs, cluster ──view──> publisher (one for each topic) ──text──> listeners, each with its own connection
//! ```
//!
//! Enters: a wish to listen. Leaves: events `view` with whole views; whoever comes later or has missed some needs no other.
//! Who calls: the page, `curl -N`. Must stay true: a view is made once a second for all its listeners, and not at all
//! while there is none; listeners are bounded; one that reads slowly skips views and holds up nobody.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::http::StatusCode;
use axum::response::sse::{Event, KeepAlive, Sse};
use dataflow::Scope;
use dataflow::time::Clock;
use futures::Stream;
use futures::stream::unfold;
use parking_lot::Mutex;
use serde::Serialize;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};

use super::Api;
use super::discretion::said;
use super::problem::problem;
use super::types::{Live, Problem};

/// Between two views.
const PERIOD: Duration = Duration::from_secs(1);
/// A connection on which nothing changes is told so, that whoever listens knows it lives.
const ALIVE: Duration = Duration::from_secs(10);
/// At most so many listen; a person needs one, a browser opens six at the most.
const LISTENERS_MAX: usize = 64;

/// What is listened to.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Topic {
    /// Everything in short.
    Overview,
    /// One datastream, by name.
    Datastream(String),
}

/// A view as JSON; none before the first.
type Text = Option<Arc<str>>;

/// All topics that somebody listens to.
#[derive(Clone)]
pub struct Streams {
    scope: Scope,
    clock: Arc<dyn Clock>,
    topics: Arc<Mutex<BTreeMap<Topic, watch::Sender<Text>>>>,
    room: Arc<Semaphore>,
}

/// One who listens.
struct Listener {
    views: watch::Receiver<Text>,
    /// Given back when the connection ends.
    _room: OwnedSemaphorePermit,
}

impl Streams {
    /// Nobody listens yet; publishers live in `scope`.
    #[must_use]
    pub fn new(scope: &Scope, clock: Arc<dyn Clock>) -> Self {
        Self {
            scope: scope.child("streams"),
            clock,
            topics: Arc::default(),
            room: Arc::new(Semaphore::new(LISTENERS_MAX)),
        }
    }

    /// One more listener, if there is room.
    pub(super) fn listen(
        self,
        topic: Topic,
        api: Api,
    ) -> Result<Sse<impl Stream<Item = Result<Event, Infallible>> + Send + 'static>, Box<Problem>> {
        let Ok(room) = self.room.clone().try_acquire_owned() else {
            let text = format!("{LISTENERS_MAX} listen already, which is as many as may");
            let full = problem(StatusCode::SERVICE_UNAVAILABLE, "listeners", text);
            return Err(Box::new(full.help("close some pages, or ask /v1/summary now and then")));
        };
        let listener = Listener {
            views: self.subscribe(topic, api),
            _room: room,
        };
        let events = unfold(listener, |mut listener| async move {
            listener.views.changed().await.ok()?;
            let text = listener
                .views
                .borrow_and_update()
                .clone()
                .unwrap_or_else(|| "null".into());
            Some((Ok(Event::default().event("view").data(text)), listener))
        });
        Ok(Sse::new(events).keep_alive(KeepAlive::new().interval(ALIVE)))
    }

    /// How many listen.
    pub(crate) fn listeners(&self) -> usize {
        LISTENERS_MAX - self.room.available_permits()
    }

    fn subscribe(&self, topic: Topic, api: Api) -> watch::Receiver<Text> {
        let mut topics = self.topics.lock();
        if let Some(sender) = topics.get(&topic) {
            let mut views = sender.subscribe();
            // Its first view is the one that is there.
            views.mark_changed();
            return views;
        }
        let (sender, views) = watch::channel(None);
        topics.insert(topic.clone(), sender.clone());
        let publishing = self.clone().publish(topic, sender, api);
        self.scope.run(publishing);
        views
    }

    /// Makes views until nobody listens any more.
    async fn publish(self, topic: Topic, sender: watch::Sender<Text>, api: Api) {
        loop {
            if let Some(text) = view(&topic, &api).await {
                sender.send_if_modified(|known| {
                    let changed = known.as_deref() != Some(&*text);
                    *known = Some(text);
                    changed
                });
            }
            self.clock.sleep(PERIOD).await;
            let mut topics = self.topics.lock();
            // Whoever comes now waits for the lock, and begins the next one.
            if sender.receiver_count() == 0 {
                topics.remove(&topic);
                return;
            }
        }
    }

    /// How many topics are being published.
    #[cfg(test)]
    pub(super) fn count(&self) -> usize {
        self.topics.lock().len()
    }
}

/// One view; none where it cannot be had just now.
async fn view(topic: &Topic, api: &Api) -> Option<Arc<str>> {
    match topic {
        Topic::Overview => text(&api.overview(), api),
        Topic::Datastream(name) => {
            let mut datastream = api.jobs.describe(name).await.ok()?;
            datastream.document.clear();
            text(
                &Live {
                    now_ms: api.clock.wall().0,
                    datastream,
                },
                api,
            )
        }
    }
}

fn text(view: &impl Serialize, api: &Api) -> Option<Arc<str>> {
    let text = serde_json::to_string(view).ok()?;
    Some(Arc::from(said(&text, &api.cluster.identity().state)))
}
