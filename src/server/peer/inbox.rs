//! What became of the transactions that a peer sent us (spec, section 6, /send): IDs are per endpoint, the last answer is kept over restarts.

use alloc::{string::String, vec::Vec};

use crate::{
    ordered::Map,
    server::{
        contract::Ticket,
        message::{ErrorCode, Failure, Response},
    },
    store::{DecodeError, Reader, Row, Table, WriteBatch, Writer},
};

const FORM: u8 = 1;

/// An answer larger than this is not kept. What was asked is then done again, which is safe: a room knows the LPDUs that it took.
const MOST_KEPT: usize = 256 * 1024;

/// The endpoints that take transactions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Lane {
    Send,
    Invite,
    Join,
    Leave,
    Knock,
}

impl Lane {
    const ALL: [Self; 5] = [Self::Send, Self::Invite, Self::Join, Self::Leave, Self::Knock];

    const fn text(self) -> &'static str {
        match self {
            Self::Send => "send",
            Self::Invite => "invite",
            Self::Join => "send_join",
            Self::Leave => "send_leave",
            Self::Knock => "send_knock",
        }
    }
}

/// What to do with a transaction that has come.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Entry {
    /// It is new: to be processed.
    New,
    /// It is being processed: the answer goes to this caller too.
    Joined,
    /// It was processed.
    Answered(Response),
}

/// The transactions of one peer.
#[derive(Debug, Default)]
pub(super) struct Inbox {
    last: Map<Lane, (String, Response)>,
    running: Map<(Lane, String), Vec<Ticket>>,
}

impl Inbox {
    /// Reads the rows of [`Table::Inbox`]. What cannot be read is done again if it is asked again.
    pub(super) fn open(rows: &[Row]) -> Self {
        Self { last: rows.iter().filter_map(|row| read(row).ok()).collect(), running: Map::new() }
    }

    /// A transaction has come.
    pub(super) fn enter(&mut self, lane: Lane, id: &str, caller: Ticket) -> Entry {
        if let Some((_, answer)) = self.last.get(&lane).filter(|(last, _)| last == id) {
            return Entry::Answered(answer.clone());
        }
        let callers = self.running.entry((lane, id.into())).or_default();
        callers.push(caller);
        if callers.len() == 1 { Entry::New } else { Entry::Joined }
    }

    /// A transaction is processed: its callers, to be answered when the row is durable.
    pub(super) fn leave(&mut self, lane: Lane, id: &str, answer: &Response, batch: &mut WriteBatch) -> Vec<Ticket> {
        let callers = self.running.remove(&(lane, id.into())).unwrap_or_default();
        if is_kept(answer) {
            let mut row = Writer::new();
            row.u8(FORM).text(id).u32(answer.status.into()).bytes(&answer.body);
            batch.put(Table::Inbox, lane.text(), row.into_bytes());
            self.last.insert(lane, (id.into(), answer.clone()));
        }
        callers
    }

    /// Whether no transaction is being processed.
    pub(super) fn is_idle(&self) -> bool {
        self.running.is_empty()
    }
}

/// Whether the same transaction gets this answer again. What may come out otherwise a second time is not kept, but for the end of an invite whose target's
/// server could not be asked (502): its user is told that it will not appear, and a copy that comes late must not prove that wrong.
fn is_kept(answer: &Response) -> bool {
    let passes = || matches!(Failure::from_response(answer).code, ErrorCode::BadState | ErrorCode::LimitExceeded);
    let settled = matches!(answer.status, 200 | 502) || ((400..500).contains(&answer.status) && !passes());
    settled && answer.body.len() <= MOST_KEPT
}

fn read(row: &Row) -> Result<(Lane, (String, Response)), DecodeError> {
    let lane = Lane::ALL.into_iter().find(|lane| lane.text().as_bytes() == row.key);
    let lane = lane.ok_or(DecodeError("answer of an unknown endpoint"))?;
    let mut value = Reader::new(&row.value);
    if value.u8()? != FORM {
        return Err(DecodeError("answer of an unknown form"));
    }
    let id = value.text()?;
    let status = u16::try_from(value.u32()?).map_err(|_| DecodeError("answer with an impossible status"))?;
    let body = value.bytes()?.to_vec();
    value.end()?;
    Ok((lane, (id, Response { status, body })))
}

#[cfg(test)]
mod tests {
    use super::{Entry, Inbox, Lane};
    use crate::{
        server::{ErrorCode, Failure, Response, Ticket},
        store::{Query, Table, WriteBatch, memory::MemoryStore},
    };

    #[test]
    fn a_transaction_is_processed_once_and_answered_alike_ever_after() {
        let (mut inbox, mut batch) = (Inbox::default(), WriteBatch::new());
        let answer = Response::ok(*b"{}");
        assert_eq!(inbox.enter(Lane::Send, "1", Ticket(1)), Entry::New);
        assert_eq!(inbox.enter(Lane::Join, "1", Ticket(2)), Entry::New, "another endpoint");
        assert_eq!(inbox.enter(Lane::Send, "1", Ticket(3)), Entry::Joined);
        assert_eq!(inbox.leave(Lane::Send, "1", &answer, &mut batch), [Ticket(1), Ticket(3)]);
        assert!(!inbox.is_idle());
        assert_eq!(inbox.enter(Lane::Send, "1", Ticket(4)), Entry::Answered(answer.clone()));

        let mut store = MemoryStore::new();
        store.apply(batch);
        let mut reopened = Inbox::open(&store.read(&Query::all(Table::Inbox)));
        assert_eq!(reopened.enter(Lane::Send, "1", Ticket(5)), Entry::Answered(answer));
        assert_eq!(reopened.enter(Lane::Send, "2", Ticket(6)), Entry::New);
    }

    #[test]
    fn what_may_come_out_otherwise_is_not_kept() {
        let table = [
            (Response::ok(*b"{}"), true),
            (Failure::of(ErrorCode::Forbidden, "no").to_response(), true),
            (Failure::of(ErrorCode::BadState, "later").to_response(), false),
            (Failure::of(ErrorCode::LimitExceeded, "later").to_response(), false),
            (Failure::of(ErrorCode::Unknown, "broken").to_response(), false),
            (Failure::new(502, ErrorCode::Unknown, "could not be asked").to_response(), true),
            (Response::ok(alloc::vec![b' '; 300_000]), false),
        ];
        for (answer, kept) in table {
            let (mut inbox, mut batch) = (Inbox::default(), WriteBatch::new());
            inbox.enter(Lane::Invite, "1", Ticket(1));
            inbox.leave(Lane::Invite, "1", &answer, &mut batch);
            assert_eq!(!batch.is_empty(), kept, "{}", answer.status);
            assert_eq!(inbox.enter(Lane::Invite, "1", Ticket(2)) != Entry::New, kept);
        }
    }
}
