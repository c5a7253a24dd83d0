//! Messages to a user's devices: durable until the device has read beyond them (spec, section 11),
//! or too many have come since.

use alloc::vec::Vec;

use super::{AccountMachine, Pending, record};
use crate::{
    id::DeviceId,
    json::Document,
    server::{
        contract::{Output, Ticket},
        message::{Answer, Notification},
    },
    store::{Query, Row, Table, WriteBatch},
};

/// How far a message may fall behind the newest number before it is forgotten: a device that never reads must not fill the store. Long messages take as many
/// numbers as they have pages, so this bounds their bytes too, at some 40 MB.
pub(super) const MOST: u64 = 10_000;

/// The bytes of a page.
const PAGE: usize = 4_096;

impl AccountMachine {
    /// Keeps messages for the devices that there are; others are dropped.
    pub(super) fn deliver(&mut self, ticket: Ticket, messages: Vec<(Option<DeviceId>, Document)>) {
        let mut batch = WriteBatch::new();
        for (device, message) in messages {
            let devices: Vec<_> = match device {
                Some(device) => Some(device).filter(|device| self.devices.has(device)).into_iter().collect(),
                None => self.devices.ids().cloned().collect(),
            };
            for device in devices {
                let pages = message.bytes().len().div_ceil(PAGE);
                let number = self.number(u64::try_from(pages).unwrap_or(1), &mut batch);
                batch.put(Table::Account, record::message_key(&device, Some(number)), message.bytes());
            }
        }
        let has_news = !batch.is_empty();
        self.desk.write(batch);
        self.desk.respond(ticket, Answer::Done);
        if has_news {
            self.desk.after(Output::Notify(Notification::ToDevice { user: self.user.clone() }));
        }
    }

    /// Reads the messages behind a number; those up to it are forgotten.
    pub(super) fn read_messages(&mut self, ticket: Ticket, device: &DeviceId, after: u64, limit: u32) {
        let all = Query::prefix(Table::Account, record::message_key(device, None), u32::MAX);
        let next = record::message_key(device, Some(after.saturating_add(1)));
        let known = Query { to: Some(next.clone()), ..all.clone() };
        let news = Query { from: next, limit, ..all };
        let read = self.desk.read(alloc::vec![known, news]);
        self.pending.insert(read, Pending::Messages(ticket, after));
    }

    /// Forgets every message to a device.
    pub(super) fn forget_messages(&mut self, ticket: Ticket, device: &DeviceId) {
        let all = Query::prefix(Table::Account, record::message_key(device, None), u32::MAX);
        let read = self.desk.read(alloc::vec![all]);
        self.pending.insert(read, Pending::Messages(ticket, u64::MAX));
    }

    /// The rows have come: those up to `after` go, the others are the answer.
    pub(super) fn messages_read(&mut self, caller: Ticket, after: u64, rows: &[Row]) {
        let mut batch = WriteBatch::new();
        let mut news = Vec::new();
        for row in rows {
            match record::read_message(row) {
                Some((number, message)) if number > after => news.push((number, message)),
                _ => batch.delete(Table::Account, row.key.clone()),
            }
        }
        self.desk.write(batch);
        let answer = if after == u64::MAX { Answer::Done } else { Answer::Messages(news) };
        self.desk.respond(caller, answer);
    }
}
