//! X-Matrix headers: one a line. What is read is read the same once it is written as we write it, and proves what it says under the right key alone.
#![no_main]

use hublet::{
    crypto::PreparedKey,
    server::{
        Request,
        x_matrix::{Claim, SignedRequest, claims, header, signing_input},
    },
    testing::signing_key,
};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &[u8]| {
    let text = String::from_utf8_lossy(text);
    let (target, lines) = text.split_once('\n').unwrap_or(("/", &text));
    let headers: Vec<_> = lines.lines().map(|line| ("Authorization".to_owned(), line.to_owned())).collect();
    let Ok(read) = claims(&headers) else { return };
    assert!(!read.is_empty() && read.len() <= headers.len());
    for claim in read {
        let Claim { origin, destination, key, signature } = &claim;
        let written = header(origin, destination, key, signature);
        assert_eq!(claims(&[("authorization".to_owned(), written)]), Ok(vec![claim.clone()]));
        proves(&claim, target);
    }
});

fn proves(claim: &Claim, target: &str) {
    let secret = signing_key(claim.origin.as_str());
    let key = PreparedKey::prepare(&secret.public()).expect("a key of ours");
    let request =
        Request { method: http::Method::GET, target: target.to_owned(), headers: Vec::new(), body: Vec::new() };
    let sign = |target: &str, content| {
        let input = signing_input(&request.method, target, &claim.origin, &claim.destination, content);
        Claim { signature: secret.sign(&input), ..claim.clone() }
    };
    let signed = SignedRequest::new(&request, None);
    assert_eq!(signed.verify(&sign(target, None), &key), Ok(()));
    assert_eq!(signed.verify(&sign(target, Some(b"{}")), &key), Ok(()));
    assert!(signed.verify(&sign(&format!("{target}?"), None), &key).is_err());
    assert!(signed.verify(claim, &key).is_err(), "nobody has signed this");
}
