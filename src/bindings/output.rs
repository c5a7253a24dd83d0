//! What a machine or a whole server wants done, as a plain object.

use alloc::{
    string::{String, ToString},
    vec::Vec,
};

use serde::Serialize;
use serde_bytes::ByteBuf;

use super::{answer::AnswerForm, notification::NotificationForm, request::RequestForm};
use crate::{
    server::{Address, Call, KeyNeeds, Output, PeerCall, Ticket, host::HostOutput},
    store::Writer,
};

/// An output.
#[derive(Clone, Debug, Serialize)]
#[serde(tag = "type", rename_all = "camelCase", rename_all_fields = "camelCase")]
pub(super) enum OutputForm {
    Commit { machine: Option<String>, ticket: u64, batch: ByteBuf },
    Read { machine: Option<String>, ticket: u64, queries: ByteBuf },
    Send { machine: Option<String>, ticket: u64, server: String, request: RequestForm },
    Sign { machine: Option<String>, ticket: u64, messages: Vec<ByteBuf> },
    Ask { ticket: u64, to: String, call: ByteBuf },
    NeedKeys { ticket: u64, needs: Vec<Need> },
    Respond { ticket: u64, answer: AnswerOf },
    Notify { machine: Option<String>, notification: NotificationForm },
    Wake { at: u64 },
    Broken,
}

/// An answer: bytes for another machine, a plain object for who asked a whole server.
#[derive(Clone, Debug, Serialize)]
#[serde(untagged)]
pub(super) enum AnswerOf {
    Machine(ByteBuf),
    Server(AnswerForm),
}

/// A server whose keys are needed, and the call to its peer machine that gives them.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Need {
    server: String,
    call: ByteBuf,
}

impl From<Output> for OutputForm {
    fn from(output: Output) -> Self {
        from_machine(None, output)
    }
}

impl From<HostOutput> for OutputForm {
    fn from(output: HostOutput) -> Self {
        match output {
            HostOutput::Do(address, output) => from_machine(Some(&address), output),
            HostOutput::Respond(Ticket(ticket), answer) => {
                Self::Respond { ticket, answer: AnswerOf::Server(answer.into()) }
            }
            HostOutput::Wake(at) => Self::Wake { at: at.millis() },
        }
    }
}

fn from_machine(machine: Option<&Address>, output: Output) -> OutputForm {
    let machine = machine.map(ToString::to_string);
    match output {
        Output::Commit(Ticket(ticket), batch) => {
            OutputForm::Commit { machine, ticket, batch: ByteBuf::from(batch.encode()) }
        }
        Output::Read(Ticket(ticket), queries) => {
            let mut out = Writer::new();
            queries.iter().for_each(|query| query.encode(&mut out));
            OutputForm::Read { machine, ticket, queries: ByteBuf::from(out.into_bytes()) }
        }
        Output::Send(Ticket(ticket), server, request) => {
            OutputForm::Send { machine, ticket, server: server.to_string(), request: request.into() }
        }
        Output::Sign(Ticket(ticket), messages) => {
            OutputForm::Sign { machine, ticket, messages: messages.into_iter().map(ByteBuf::from).collect() }
        }
        Output::Ask(Ticket(ticket), to, call) => {
            OutputForm::Ask { ticket, to: to.to_string(), call: ByteBuf::from(call.encode()) }
        }
        Output::NeedKeys(Ticket(ticket), needs) => {
            OutputForm::NeedKeys { ticket, needs: needs.into_iter().map(need).collect() }
        }
        Output::Respond(Ticket(ticket), answer) => {
            OutputForm::Respond { ticket, answer: AnswerOf::Machine(ByteBuf::from(answer.encode())) }
        }
        Output::Notify(notification) => OutputForm::Notify { machine, notification: notification.into() },
        Output::Wake(at) => OutputForm::Wake { at: at.millis() },
        Output::Broken => OutputForm::Broken,
    }
}

fn need(needs: KeyNeeds) -> Need {
    let server = needs.server.to_string();
    Need { server, call: ByteBuf::from(Call::Peer(PeerCall::Keys(needs)).encode()) }
}
