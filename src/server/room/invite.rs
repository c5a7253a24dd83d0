//! Invites to users whose server is not in the room: that server is asked before the hub appends (spec, section 7).
//!
//! The room goes on while it is asked. When it agrees, the hub checks the rules again and completes the same event on the head of that moment. From the
//! answer it takes nothing but a signature, and only one that is right over the bytes that it appends.

use alloc::{boxed::Box, vec, vec::Vec};
use core::time::Duration;

use super::{
    append::Append,
    candidate::{Agreement, Candidate},
    context::Context,
    known::read_event,
    work::{Progress, Resume, Work},
};
use crate::{
    crypto::{PreparedKey, Signature},
    event::{ChainedPdu, Event},
    id::{EventId, KeyId, ServerName, Timestamp, UserId},
    json::{Document, KeyOrder, Limits, parse, write_object},
    room::{
        kind,
        log::{LogEntry, entry},
        membership::Membership,
        state::RoomState,
        stripped,
    },
    server::{
        contract::{Address, Moment},
        identity::Signer,
        message::{Answer, Call, ErrorCode, Failure, KeyNeeds, PeerCall, Response, ServerKeys},
        paths::PFX,
    },
    store::Row,
};

/// How long the invited server may take (spec, section 7).
const PATIENCE: Duration = Duration::from_secs(9);

/// The server to ask, if the event is an invite to a user of a server that has nobody in the room.
pub(super) fn outside(event: &Event, state: &RoomState, ours: &ServerName) -> Option<ServerName> {
    if event.kind() != kind::MEMBER || Membership::from_content(event.content()) != Some(Membership::Invite) {
        return None;
    }
    let server = UserId::parse(event.state_key()?).ok()?.server_name();
    (server != *ours && state.joined_users_of(server.as_str()) == 0).then_some(server)
}

/// Asks the invited server, then appends the event if it agrees.
pub(super) fn offer(candidate: Candidate, offered: ChainedPdu, server: ServerName, moment: Moment) -> Box<dyn Work> {
    let deadline = moment.now.saturating_add(PATIENCE);
    Box::new(Offer {
        candidate: Some(candidate),
        offered,
        server,
        deadline,
        stripped: Vec::new(),
        agreed: None,
        stage: Stage::Fresh,
    })
}

struct Offer {
    candidate: Option<Candidate>,
    offered: ChainedPdu,
    server: ServerName,
    deadline: Timestamp,
    stripped: Vec<u8>,
    /// The signature under the invited server's name, as it came.
    agreed: Option<(KeyId, Signature)>,
    stage: Stage,
}

#[derive(Clone, Copy)]
enum Stage {
    Fresh,
    Stripped,
    Signing,
    Asked,
    Keys,
}

impl Work for Offer {
    fn step(&mut self, context: &mut Context, _: Moment, resume: Resume) -> Progress {
        match (self.stage, resume) {
            (Stage::Fresh, _) => {
                self.stage = Stage::Stripped;
                if let Some(candidate) = &self.candidate {
                    context.offers.begin(candidate.event());
                }
                let state = context.room.iter().flat_map(|room| stripped::select(&room.state));
                Progress::Read(state.map(|found| entry(found.position)).collect())
            }
            (Stage::Stripped, Resume::Rows(rows)) => {
                self.stripped = self.stripped_state(context, &rows);
                match context.identity.clone().signer() {
                    Signer::Held(key) => self.ask(context, key.sign(self.offered.signing_input())),
                    Signer::Platform(_) => {
                        self.stage = Stage::Signing;
                        Progress::Sign(vec![self.offered.signing_input().to_vec()])
                    }
                }
            }
            (Stage::Signing, Resume::Signed(signatures)) => match signatures.first() {
                Some(signature) => self.ask(context, *signature),
                None => self.refused(context, Failure::new(500, ErrorCode::Unknown, "the platform gave no signature")),
            },
            (Stage::Asked, Resume::Answer(Answer::Response(response))) => self.answered(context, &response),
            (Stage::Keys, Resume::Keys(keys)) => self.agree(keys.first()),
            (Stage::Keys, _) => self.agree(None),
            _ => {
                let error =
                    alloc::format!("{} could not be asked whether it takes the invite; try again later", self.server);
                self.refused(context, Failure::new(502, ErrorCode::Unknown, error))
            }
        }
    }
}

impl Offer {
    fn stripped_state(&self, context: &Context, rows: &[Vec<Row>]) -> Vec<u8> {
        let mut out = Vec::new();
        let Some(rules) = context.room.as_ref().map(|room| room.rules()) else { return b"[]".to_vec() };
        crate::json::write_array(&mut out, |state| {
            for row in rows.iter().flatten() {
                if let Ok(LogEntry::Event(found)) = LogEntry::decode(&row.value)
                    && let Some(event) = read_event(&found.bytes, rules)
                {
                    let mut bytes = Vec::new();
                    stripped::write(&event, &mut bytes);
                    state.raw(&bytes);
                }
            }
        });
        out
    }

    fn ask(&mut self, context: &Context, signature: Signature) -> Progress {
        let event_id: EventId = self.offered.event_id();
        let pdu = self.offered.clone().sign_with(signature).into_bytes();
        let version = context.room.as_ref().map_or("", |room| room.rules().id);
        let mut body = Vec::new();
        write_object(&mut body, |body| {
            body.raw("event", &pdu);
            body.raw("invite_room_state", &self.stripped);
            body.string("room_version", version);
        });
        self.stage = Stage::Asked;
        // The event's ID names the transaction: asked again, the same invite gets the same answer.
        let target = alloc::format!("{PFX}/invite/{}", alloc::format!("{event_id}").trim_start_matches('$'));
        let fetch = PeerCall::Fetch { method: http::Method::POST, target, body: parse_answer(&body) };
        Progress::Ask(Address::Peer(self.server.clone()), Call::Peer(fetch), self.deadline)
    }

    fn answered(&mut self, context: &mut Context, response: &Response) -> Progress {
        let body = parse_answer(&response.body);
        let said = |key: &str| {
            let text = body.as_ref().and_then(|body| body.root().member(key)).and_then(|text| text.as_str());
            text.map(alloc::string::String::from)
        };
        if response.status != 200 {
            let words = said("error").unwrap_or_else(|| alloc::format!("status {}", response.status));
            let error = alloc::format!("{} does not take the invite: {words}", self.server);
            let status = if (400..500).contains(&response.status) { 403 } else { 502 };
            return self.refused(context, Failure::new(status, ErrorCode::Forbidden, error));
        }
        let root = body.as_ref().map(Document::root);
        let event = root.and_then(|root| root.member("event").or_else(|| root.member("pdu")));
        let signatures = event.and_then(|event| event.member("signatures")?.member(self.server.as_str()));
        self.agreed = signatures.into_iter().flat_map(|of_server| of_server.members()).find_map(|member| {
            let signature = member.value().as_str().and_then(|text| Signature::parse(&text).ok())?;
            Some((KeyId::parse(&member.key()).ok()?, signature))
        });
        let Some((key_id, _)) = &self.agreed else { return self.agree(None) };
        self.stage = Stage::Keys;
        let need = KeyNeeds { server: self.server.clone(), key_ids: vec![key_id.clone()], notary: None };
        Progress::NeedKeys(vec![need], self.deadline)
    }

    /// The invite is taken; with the server's signature if its key is known.
    fn agree(&mut self, keys: Option<&ServerKeys>) -> Progress {
        let Some(candidate) = self.candidate.take() else { return Progress::Done(Vec::new()) };
        let signature = self.agreed.take().and_then(|(key_id, signature)| {
            let key = keys?.keys.iter().find(|key| key.id == key_id)?;
            Some((self.server.clone(), key_id, PreparedKey::prepare(&key.key).ok()?, signature))
        });
        Progress::Write(Append::of(vec![Candidate { agreed: Some(Agreement { signature }), ..candidate }], Vec::new()))
    }

    fn refused(&mut self, context: &mut Context, failure: Failure) -> Progress {
        let Some(candidate) = self.candidate.take() else { return Progress::Done(Vec::new()) };
        context.offers.end(candidate.event());
        let id = candidate.lpdu_id();
        Progress::Done(candidate.reply.refuse(context, id, failure).into_iter().collect())
    }
}

/// An answer's body, if it is JSON.
fn parse_answer(bytes: &[u8]) -> Option<Document> {
    parse(bytes, KeyOrder::Utf16, Limits { bytes: 1 << 20, depth: 520 }).ok()
}
