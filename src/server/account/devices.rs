//! Devices, and their one-time keys: Olm keys and MLS key packages alike (spec, section 8).

use alloc::{format, string::String, vec::Vec};

use super::{AccountMachine, record};
use crate::{
    crypto::PreparedKey,
    event::verify_object,
    id::{DeviceId, UserId, base64},
    json::{Document, KeyOrder, Limits, ObjectWriter, Value, parse, write_object},
    ordered::Map,
    server::{
        contract::{Output, Ticket},
        message::{Answer, ErrorCode, Failure, Notification, Response},
    },
    store::WriteBatch,
};

/// Devices of a user.
const MAX_DEVICES: usize = 100;

/// Keys of a device and algorithm.
const MAX_KEYS: usize = 1_000;

/// A device says that it is running out of keys when it has fewer than this.
const FEW_KEYS: usize = 20;

/// A device and an algorithm.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct KeyName {
    pub(super) device: DeviceId,
    pub(super) algorithm: String,
}

/// A key: the name under which it is given out, and itself.
type Stored = (String, Document);

/// All devices of a user and their keys.
#[derive(Debug, Default)]
pub(super) struct Devices {
    devices: Map<DeviceId, Document>,
    /// Counts the changes.
    version: u64,
    /// In the order in which they were added.
    keys: Map<KeyName, Map<u64, Stored>>,
    last_resort: Map<KeyName, Stored>,
}

impl Devices {
    pub(super) fn restore(&mut self, device: DeviceId, version: u64, object: Document) {
        self.version = self.version.max(version);
        self.devices.insert(device, object);
    }

    pub(super) fn restore_key(&mut self, name: KeyName, number: Option<u64>, stored: Stored) {
        match number {
            Some(number) => drop(self.keys.entry(name).or_default().insert(number, stored)),
            None => drop(self.last_resort.insert(name, stored)),
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.devices.is_empty()
    }

    pub(super) fn ids(&self) -> impl Iterator<Item = &DeviceId> {
        self.devices.keys()
    }

    pub(super) fn has(&self, device: &DeviceId) -> bool {
        self.devices.contains_key(device)
    }

    /// One device object.
    pub(super) fn one(&self, device: &DeviceId) -> Response {
        match self.devices.get(device) {
            Some(object) => Response::ok(object.bytes()),
            None => Failure::of(ErrorCode::NotFound, format!("the user has no device {device}")).into(),
        }
    }

    /// All devices in Matrix's form.
    pub(super) fn list(&self, user: &UserId) -> Response {
        if self.devices.is_empty() {
            return Failure::of(ErrorCode::NotFound, format!("{user} has no devices")).into();
        }
        let mut out = Vec::new();
        write_object(&mut out, |answer| {
            answer.array("devices", |list| {
                for (device, object) in &self.devices {
                    list.object(|entry| {
                        entry.string("device_id", device.as_str());
                        entry.raw("keys", object.bytes());
                    });
                }
            });
            answer.int("stream_id", i64::try_from(self.version).unwrap_or_default());
            answer.string("user_id", user.as_str());
        });
        Response::ok(out)
    }

    /// Device objects by ID; all if none is named.
    pub(super) fn objects(&self, wanted: &[DeviceId]) -> Answer {
        let found = self.devices.iter().filter(|(device, _)| wanted.is_empty() || wanted.contains(device));
        object(|out| found.for_each(|(device, object)| out.raw(device.as_str(), object.bytes())))
    }

    /// Takes a key that was never given out, or else the one of last resort.
    fn claim(&mut self, name: &KeyName, batch: &mut WriteBatch) -> Option<Stored> {
        match self.keys.get_mut(name).and_then(Map::pop_first) {
            Some((number, stored)) => {
                record::delete_key(name, Some(number), batch);
                Some(stored)
            }
            None => self.last_resort.get(name).cloned(),
        }
    }
}

impl AccountMachine {
    /// Gives out keys: they are gone before the answer leaves.
    pub(super) fn claim(&mut self, ticket: Ticket, wanted: &[(DeviceId, String)]) {
        let mut batch = WriteBatch::new();
        let mut found: Map<&DeviceId, Map<String, Document>> = Map::new();
        let mut few = Vec::new();
        for (device, algorithm) in wanted {
            let name = KeyName { device: device.clone(), algorithm: algorithm.clone() };
            if let Some((as_given, key)) = self.devices.claim(&name, &mut batch) {
                found.entry(device).or_default().insert(as_given, key);
                few.push(name);
            }
        }
        self.desk.write(batch);
        let answer = object(|out| {
            for (device, keys) in &found {
                out.object(device.as_str(), |out| keys.iter().for_each(|(name, key)| out.raw(name, key.bytes())));
            }
        });
        self.desk.respond(ticket, answer);
        for KeyName { device, algorithm } in few {
            let name = KeyName { device, algorithm };
            let left = self.devices.keys.get(&name).map_or(0, Map::len);
            if left < FEW_KEYS {
                let left = u32::try_from(left).unwrap_or(u32::MAX);
                let KeyName { device, algorithm } = name;
                let user = self.user.clone();
                self.desk.after(Output::Notify(Notification::KeysClaimed { user, device, algorithm, left }));
            }
        }
    }

    pub(super) fn put_device(&mut self, object: Document, batch: &mut WriteBatch) -> Answer {
        let device = match check_device(&object, &self.user) {
            Ok(device) => device,
            Err(error) => return Answer::Refused(Failure::of(ErrorCode::BadJson, error)),
        };
        if self.devices.devices.len() >= MAX_DEVICES && !self.devices.has(&device) {
            return Answer::Refused(Failure::of(
                ErrorCode::LimitExceeded,
                format!("a user has at most {MAX_DEVICES} devices"),
            ));
        }
        self.devices.version = self.devices.version.saturating_add(1);
        record::put_device(&device, self.devices.version, &object, batch);
        self.devices.devices.insert(device, object);
        Answer::Done
    }

    /// Removes a device and its keys; its messages are read first, to be removed as well.
    pub(super) fn remove_device(&mut self, ticket: Ticket, device: &DeviceId) {
        let mut batch = WriteBatch::new();
        self.devices.devices.remove(device);
        record::delete_device(device, &mut batch);
        let is_theirs = |name: &KeyName| name.device == *device;
        for (name, keys) in self.devices.keys.iter().filter(|(name, _)| is_theirs(name)) {
            keys.keys().for_each(|number| record::delete_key(name, Some(*number), &mut batch));
        }
        for name in self.devices.last_resort.keys().filter(|name| is_theirs(name)) {
            record::delete_key(name, None, &mut batch);
        }
        self.devices.keys.retain(|name, _| name.device != *device);
        self.devices.last_resort.retain(|name, _| name.device != *device);
        self.desk.write(batch);
        self.forget_messages(ticket, device);
    }

    pub(super) fn add_keys(
        &mut self,
        device: &DeviceId,
        keys: Vec<Stored>,
        last_resort: bool,
        batch: &mut WriteBatch,
    ) -> Result<(), Failure> {
        if !self.devices.has(device) {
            return Err(Failure::of(ErrorCode::NotFound, format!("the user has no device {device}")));
        }
        for (name, key) in keys {
            let algorithm = name.split_once(':').map_or(name.as_str(), |(algorithm, _)| algorithm);
            let at = KeyName { device: device.clone(), algorithm: algorithm.into() };
            if last_resort {
                record::put_key(&at, None, &name, &key, batch);
                self.devices.last_resort.insert(at, (name, key));
            } else {
                if self.devices.keys.get(&at).is_some_and(|keys| keys.len() >= MAX_KEYS) {
                    let error = format!("a device has at most {MAX_KEYS} keys of an algorithm");
                    return Err(Failure::of(ErrorCode::LimitExceeded, error));
                }
                let number = self.number(1, batch);
                record::put_key(&at, Some(number), &name, &key, batch);
                self.devices.keys.entry(at).or_default().insert(number, (name, key));
            }
        }
        Ok(())
    }
}

/// A device object must be the user's own. Ed25519 keys in it must have signed it; what else it lists is for whoever uses it to check.
fn check_device(object: &Document, user: &UserId) -> Result<DeviceId, String> {
    let root = object.root();
    let text = |key| root.member(key).and_then(Value::as_str);
    let device =
        text("device_id").and_then(|id| DeviceId::parse(&id).ok()).ok_or("field `device_id` must be a device ID")?;
    if text("user_id").as_deref() != Some(user.as_str()) {
        return Err(format!("field `user_id` must be {user}"));
    }
    for entry in root.member("keys").into_iter().flat_map(Value::members) {
        let id = entry.key();
        if id.starts_with("ed25519:") {
            let key = entry.value().as_str().and_then(|key| base64::decode_array_lenient(&key).ok());
            let key = key
                .and_then(|key| PreparedKey::prepare(&key).ok())
                .ok_or_else(|| format!("key {id} is not acceptable"))?;
            verify_object(root, user.as_str(), &id, &key).map_err(|error| format!("key {id}: {error}"))?;
        }
    }
    Ok(device)
}

/// An object that is written with its members in order, as an answer.
fn object(fill: impl FnOnce(&mut ObjectWriter<'_>)) -> Answer {
    let mut out = Vec::new();
    write_object(&mut out, fill);
    let limits = Limits { bytes: usize::MAX, depth: u16::MAX };
    match parse(&out, KeyOrder::Utf16, limits) {
        Ok(object) => Answer::Object(object),
        Err(error) => Answer::Refused(Failure::of(ErrorCode::Unknown, format!("{error}"))),
    }
}
