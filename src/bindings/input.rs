//! What an embedder hands to a machine or to a whole server, as a plain object.

use alloc::{
    string::{String, ToString},
    vec::Vec,
};

use serde::Deserialize;
use serde_bytes::ByteBuf;

use super::{
    call::CallForm,
    form::{Argument, array, needed},
    request::{RequestForm, ResponseForm, send_error},
};
use crate::{
    crypto::Signature,
    server::{Address, Answer, Call, Input, ServerKeys, Ticket, host::HostInput},
    store::{DecodeError, Reader, Row, wire::decode_rows},
};

/// An input: its type, and the fields of all types.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(crate) struct InputForm {
    r#type: String,
    ticket: u64,
    machine: Option<String>,
    to: Option<String>,
    request: Option<RequestForm>,
    response: Option<ResponseForm>,
    error: Option<String>,
    rows: Option<ByteBuf>,
    signatures: Vec<ByteBuf>,
    answers: Vec<ByteBuf>,
    answer: Option<ByteBuf>,
}

impl InputForm {
    /// The input of one machine; `call` is the field of that name, which is bytes there.
    pub(crate) fn machine(mut self, call: Option<Vec<u8>>) -> Result<Input, Argument> {
        let ticket = Ticket(self.ticket);
        match self.r#type.as_str() {
            "ask" => Ok(Input::Ask(ticket, decoded(call, "call", Call::decode)?)),
            "answer" => {
                Ok(Input::Answer(ticket, decoded(self.answer.take().map(ByteBuf::into_vec), "answer", Answer::decode)?))
            }
            "keys" => Ok(Input::Keys(ticket, keys(&self.answers)?)),
            _ => self.outside(),
        }
    }

    /// The input of a whole server; `call` is the field of that name, which is a plain object there.
    pub(crate) fn server(mut self, call: Option<CallForm>) -> Result<HostInput, Argument> {
        let ticket = Ticket(self.ticket);
        Ok(match self.r#type.as_str() {
            "ask" => HostInput::Ask(ticket, address(self.to, "to")?, needed(call, "call")?.read()?),
            "request" => HostInput::Request(ticket, needed(self.request, "request")?.read()?.into()),
            "commitFailed" => HostInput::CommitFailed(address(self.machine, "machine")?),
            "woken" => HostInput::Woken,
            "resume" => HostInput::Done(address(self.machine, "machine")?, Input::Woken),
            _ => HostInput::Done(address(self.machine.take(), "machine")?, self.outside()?),
        })
    }

    /// What comes of a machine's wishes to the outside.
    fn outside(self) -> Result<Input, Argument> {
        let ticket = Ticket(self.ticket);
        Ok(match self.r#type.as_str() {
            "rows" => {
                Input::Rows(ticket, rows(&needed(self.rows, "rows")?).map_err(|error| Argument::of("rows", error))?)
            }
            "committed" => Input::Committed(ticket),
            "sent" => Input::Sent(ticket, Ok(needed(self.response, "response")?.into())),
            "notSent" => Input::Sent(ticket, Err(send_error(&needed(self.error, "error")?)?)),
            "signed" => {
                let signature = |bytes: &ByteBuf| array(bytes, "signatures").map(Signature::from_bytes);
                Input::Signed(ticket, self.signatures.iter().map(signature).collect::<Result<_, _>>()?)
            }
            "woken" => Input::Woken,
            other => return Err(Argument::of("type", alloc::format!("no input is named `{other}`"))),
        })
    }
}

/// Where a machine is, as text.
pub(crate) fn address(text: Option<String>, field: &str) -> Result<Address, Argument> {
    let parse = |text: &str| Address::parse(text);
    parse(&needed(text, field)?)
        .ok_or_else(|| Argument::of(field, "must be `room:…`, `peer:…`, `account:…` or `front`"))
}

fn decoded<T>(bytes: Option<Vec<u8>>, field: &str, decode: fn(&[u8]) -> Result<T, DecodeError>) -> Result<T, Argument> {
    decode(&needed(bytes, field)?).map_err(|error| Argument::of(field, error.to_string()))
}

/// The keys in the answers of peer machines; one that has none is passed over.
fn keys(answers: &[ByteBuf]) -> Result<Vec<ServerKeys>, Argument> {
    let mut found = Vec::new();
    for answer in answers {
        if let Answer::Keys(keys) = Answer::decode(answer).map_err(|error| Argument::of("answers", error))? {
            found.push(keys);
        }
    }
    Ok(found)
}

/// The rows of each query, one behind the other.
fn rows(bytes: &[u8]) -> Result<Vec<Vec<Row>>, DecodeError> {
    let mut reader = Reader::new(bytes);
    let mut answers = Vec::new();
    while !reader.rest().is_empty() {
        answers.push(decode_rows(&mut reader)?);
    }
    Ok(answers)
}

#[cfg(test)]
mod tests {
    use alloc::{format, vec, vec::Vec};

    use serde_bytes::ByteBuf;

    use super::{Argument, InputForm};
    use crate::{
        server::{Answer, Call, PeerCall},
        store::{Row, Writer, wire::encode_rows},
        testing::keys_of,
    };

    fn form(kind: &str) -> InputForm {
        InputForm { r#type: kind.into(), ticket: 5, ..InputForm::default() }
    }

    fn bytes(bytes: Vec<u8>) -> Option<ByteBuf> {
        Some(ByteBuf::from(bytes))
    }

    #[test]
    fn each_type_becomes_its_input() {
        let call = Call::Peer(PeerCall::Nudge(crate::id::RoomId::parse("!r:hub.example").unwrap()));
        let mut written = Writer::new();
        encode_rows(&[Row { key: vec![1], value: vec![2] }], &mut written);
        encode_rows(&[], &mut written);
        let answers = vec![
            ByteBuf::from(Answer::Keys(keys_of("hub.example")).encode()),
            ByteBuf::from(Answer::Unavailable.encode()),
        ];
        for (form, call, expected) in [
            (form("ask"), Some(call.encode()), "Ask(Ticket(5), Peer(Nudge(RoomId(!r:hub.example))))"),
            (InputForm { answer: bytes(Answer::Done.encode()), ..form("answer") }, None, "Answer(Ticket(5), Done)"),
            (
                InputForm { answers, ..form("keys") },
                None,
                "Keys(Ticket(5), [ServerKeys { server: ServerName(hub.example)",
            ),
            (
                InputForm { rows: bytes(written.into_bytes()), ..form("rows") },
                None,
                "Rows(Ticket(5), [[Row { key: [1], value: [2] }], []])",
            ),
            (form("committed"), None, "Committed(Ticket(5))"),
            (InputForm { error: Some("timed_out".into()), ..form("notSent") }, None, "Sent(Ticket(5), Err(TimedOut))"),
            (form("woken"), None, "Woken"),
        ] {
            let input = format!("{:?}", form.machine(call).unwrap());
            assert!(input.starts_with(expected), "{input}");
        }
        let to_room = InputForm { machine: Some("room:!r:hub.example".into()), ..form("committed") };
        let expected = "Done(Room(RoomId(!r:hub.example)), Committed(Ticket(5)))";
        assert_eq!(format!("{:?}", to_room.server(None).unwrap()), expected);
        let resume = InputForm { machine: Some("peer:hub.example".into()), ..form("resume") };
        assert_eq!(format!("{:?}", resume.server(None).unwrap()), "Done(Peer(ServerName(hub.example)), Woken)");
        assert_eq!(format!("{:?}", form("woken").server(None).unwrap()), "Woken");
    }

    #[test]
    fn what_is_wrong_is_named() {
        for (form, expected) in [
            (form("dance"), "`type`: no input is named `dance`"),
            (form("ask"), "`call`: is missing"),
            (InputForm { answer: bytes(vec![9]), ..form("answer") }, "`answer`: stored bytes are not"),
            (InputForm { rows: bytes(vec![9]), ..form("rows") }, "`rows`: stored bytes are not"),
            (
                InputForm { signatures: vec![ByteBuf::from([1; 63])], ..form("signed") },
                "`signatures`: must be 64 bytes",
            ),
        ] {
            let Err(Argument(error)) = form.machine(None) else { panic!("{expected}") };
            assert!(error.starts_with(expected), "{error}");
        }
        let Err(Argument(error)) = form("committed").server(None) else { panic!() };
        assert_eq!(error, "`machine`: is missing");
    }
}
