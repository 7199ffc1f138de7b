//! Putting in order what writers left behind.
//!
//! Everything happens inside a group, so two processes that notice the same dead writer cannot both act on it.

use super::fact::{Fact, Process};
use super::store::{read, write};
use super::{AbandonedIntent, Entry, Error, Group};

impl Group<'_> {
    /// Writes the row of the writer whose first group this is.
    pub(super) fn start_writer(&mut self, process: &Process<'_>) -> Result<(), Error> {
        self.step(|group| {
            let id = group.change(|connection, now| write::writer(connection, process, now))?;
            group.state.id = id;
            group.add(Fact::writer_started(id, process.digest(), process.command));
            Ok(())
        })
    }

    /// Ends this writer: its reserved entries are abandoned.
    pub(super) fn end_writer(&mut self) -> Result<(), Error> {
        let name = self.writer.name.clone();
        self.step(|group| group.bury(&name))
    }

    /// Ends every other writer whose lock is free and abandons what it had reserved.
    pub(super) fn reconcile(&mut self) -> Result<(), Error> {
        self.step(|group| {
            for (_, name) in group.read(read::running)? {
                if group.is_left_behind(&name) {
                    group.bury(&name)?;
                }
            }
            Ok(())
        })
    }

    /// Whether a writer is neither this one nor alive.
    pub(super) fn is_left_behind(&self, writer: &str) -> bool {
        writer != self.writer.name && !self.writer.locks.is_held(writer)
    }

    pub(super) fn bury(&mut self, name: &str) -> Result<(), Error> {
        let id = self.read(|connection| read::running_writer(connection, name))?;
        for entry in self.read(|connection| read::reserved_by(connection, id))? {
            self.change(|connection, now| write::abandoned(connection, entry.id, id, now))?;
            self.add(Fact::abandoned(entry.id.0));
            self.give_back(entry.id)?;
            self.reconciled.push(AbandonedIntent::of(entry));
        }
        self.change(|connection, now| write::writer_ended(connection, id, now))?;
        self.add(Fact::writer_ended(id));
        self.ended.push(name.to_owned());
        Ok(())
    }
}

impl AbandonedIntent {
    fn of(entry: Entry) -> AbandonedIntent {
        AbandonedIntent {
            entry: entry.id,
            serial: entry.serial,
            device: entry.device,
            writer: entry.writer,
        }
    }
}
