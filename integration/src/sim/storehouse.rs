//! The object store: create-if-absent, answers that get lost, requests that arrive when nobody waits for them any more.

use dataflow::store::{Error, Object};
use jobmanager::store::{Kind, Record, open};
use proto::v1;

use super::audit::record_path;
use super::blows::Who;
use super::desk::{Client, Request, Stored, What, exists, missing, unknown};
use super::mutant::Mutant;
use super::profile::{MS, Moment, SECOND};
use super::world::{Applied, Event, Heard, World};

impl World {
    /// A request leaves for the store.
    pub(super) fn asked_store(&mut self, client: Client, request: Request) {
        let Request { path, what, reply } = request;
        let record = match &what {
            What::Create(bytes) if record_path(&path).is_some() => open::<Record>(bytes, &path).ok(),
            _ => None,
        };
        let checkpoint = record.filter(|record| record.kind == Kind::Checkpoint);
        if let Some(record) = &checkpoint {
            self.moment(Moment::RecordSent, Who::manager(client));
            self.commit_before(client, record);
        }
        let delay = self.chance.within(&self.faults.store_delay);
        let lost = checkpoint.is_some() && std::mem::take(&mut self.moments.lose_outcome);
        let wrong = self.chance.happens(self.faults.store) || lost;
        let mut applied = Applied {
            client,
            path,
            what,
            reply: Some(reply),
            heard: Heard::Truly,
        };
        if !wrong {
            return self.post(delay, Event::Apply(applied));
        }
        self.fault_count += 1;
        match self.chance.below(3) {
            // It never arrives.
            0 => self.unanswered(delay, &mut applied),
            // It is done, and the answer gets lost.
            1 => {
                applied.heard = Heard::Unknown;
                self.post(delay, Event::Apply(applied));
            }
            // It is done long after its sender has given it up.
            _ => {
                self.unanswered(delay, &mut applied);
                let late = self.chance.within(&(10 * MS..=4 * SECOND));
                self.post(delay + late, Event::Apply(applied));
            }
        }
    }

    fn unanswered(&mut self, delay: u64, applied: &mut Applied) {
        if let Some(reply) = applied.reply.take() {
            let error = unknown(&applied.path);
            self.post(delay, Event::Answer(applied.client, reply, Err(error)));
        }
    }

    /// The mutant that lets the sinks commit what is not recorded yet.
    fn commit_before(&mut self, client: Client, record: &Record) {
        if !self.is_mutant(Mutant::CommitBeforeRecord) {
            return;
        }
        let commit = v1::Commit {
            fence: Some(v1::Fence {
                job: record.job.to_string(),
                term: record.generation.term,
                deployment: record.generation.deployment,
            }),
            epoch: record.epoch.0,
            counter: record.counter,
        };
        let sessions: Vec<u64> = self.sessions_of(client);
        for session in sessions {
            let message = v1::to_task_manager::Message::Commit(commit.clone());
            self.post_to_worker(
                session,
                v1::ToTaskManager {
                    message: Some(message),
                    ..v1::ToTaskManager::default()
                },
            );
        }
    }

    /// A request has come to the store.
    pub(super) fn apply(&mut self, applied: Applied) {
        let Applied {
            client,
            path,
            what,
            reply,
            heard,
        } = applied;
        let mut result = self.serve(client, &path, what);
        let Some(reply) = reply else { return };
        if heard == Heard::Unknown {
            result = Err(unknown(&path));
        }
        let delay = self.chance.within(&self.faults.store_delay);
        self.post(delay, Event::Answer(client, reply, result));
    }

    fn serve(&mut self, client: Client, path: &str, what: What) -> Result<Stored, Error> {
        match what {
            What::Create(bytes) => {
                let before = self.objects.get(path).cloned();
                let plain = self.is_mutant(Mutant::PlainPut) && record_path(path).is_some();
                if before.is_some() && !plain {
                    return Err(exists(path));
                }
                self.objects.insert(path.to_owned(), bytes.clone());
                if before.as_ref() != Some(&bytes) {
                    self.audit.made(path, &bytes, before.as_ref());
                    self.made(client, path, &bytes);
                }
                Ok(Stored::Done)
            }
            What::Put(bytes) => {
                self.objects.insert(path.to_owned(), bytes);
                Ok(Stored::Done)
            }
            What::Read => self
                .objects
                .get(path)
                .cloned()
                .map(Stored::Bytes)
                .ok_or_else(|| missing(path)),
            What::Head => {
                let object = self.objects.get(path).map(|bytes| Object {
                    path: path.to_owned(),
                    size: bytes.len() as u64,
                    version: String::new(),
                });
                object.map(Stored::Object).ok_or_else(|| missing(path))
            }
            What::Delete => {
                self.objects.remove(path);
                Ok(Stored::Done)
            }
        }
    }

    /// An object is there that was not: moments that blows are aimed at.
    fn made(&mut self, client: Client, path: &str, bytes: &[u8]) {
        self.trace
            .note(self.now, "made", &[u64::from(client), bytes.len() as u64]);
        self.trace.say(self.now, || format!("store: jm-{client} made {path}"));
        if let Some(term) = path
            .strip_prefix("leader/term-")
            .and_then(|rest| rest.strip_suffix(".json"))
        {
            self.highest_term = self.highest_term.max(term.parse().unwrap_or(0));
            self.moment(Moment::ClaimMade, Who::manager(client));
        } else if path.starts_with("datastreams/ledger/") {
            if self.openers.insert(client) {
                self.moment(Moment::LedgerOpened, Who::manager(client));
            }
        } else if record_path(path).is_some()
            && let Ok(record) = open::<Record>(bytes, path)
        {
            let (generation, kind) = (record.generation, record.kind);
            self.trace.say(self.now, || {
                format!("store: {} is a {kind:?} of {generation}", record.epoch)
            });
            match kind {
                Kind::Checkpoint => {
                    self.check_counter();
                    self.moment(Moment::RecordMade, Who::manager(client));
                }
                Kind::Fence => self.moment(Moment::FenceMade, Who::manager(client)),
                Kind::Start => {}
            }
        }
    }
}
