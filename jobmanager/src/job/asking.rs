//! What is asked of a job: done at once, begun, or answered.

use super::actor::Actor;
use super::event::Ask;
use super::life;
use crate::jobs::Kept;

impl Actor {
    pub(super) fn asked(&mut self, ask: Ask) {
        match ask {
            Ask::Cancel => self.step(life::Event::CancelAsked),
            Ask::Stop => self.step(life::Event::StopAsked),
            Ask::Drain => {
                self.drain = true;
                self.send_drain();
            }
            Ask::Savepoint(label, when, reply) => self.savepoint_asked(label, when, reply),
            Ask::Change(change, reply) => self.change_asked(*change, reply),
            // Whoever asked may have gone.
            Ask::Plot(reply) => drop(reply.send(self.plot())),
            Ask::InForce(reply) => drop(reply.send(self.document.clone().map(Box::new))),
            Ask::Series(reply) => drop(reply.send(self.series.columns())),
            Ask::Lag(asked, reply) => drop(reply.send(Box::new(self.lag(&asked)))),
            Ask::Measure(reply) => drop(reply.send(self.measure())),
            Ask::Describe(reply) => drop(reply.send(Box::new(self.describe()))),
            Ask::Logs(number, reply) => drop(reply.send(self.history.lines_after(number))),
            Ask::Kept(reply) => {
                let graph = self.document.as_ref().map(|document| &document.graph);
                drop(reply.send(graph.map(Kept::of).unwrap_or_default()));
            }
            Ask::Tap(request, reply) => self.tap(request, reply),
            Ask::Untap(tap) => self.untap(tap),
        }
    }
}
