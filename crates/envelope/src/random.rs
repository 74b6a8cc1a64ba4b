use zeroize::Zeroizing;

/// Random bytes from the operating system's generator, through aws-lc-rs. Every id, salt and key begins here.
///
/// # Panics
/// When the operating system has no randomness to give: nothing here can go on without it.
#[must_use]
pub fn random_bytes<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    fill(&mut bytes);
    bytes
}

/// A fresh secret, made where it is kept until it is wiped.
pub(crate) fn random_secret() -> Zeroizing<[u8; 32]> {
    let mut bytes = Zeroizing::new([0; 32]);
    fill(bytes.as_mut());
    bytes
}

fn fill(bytes: &mut [u8]) {
    aws_lc_rs::rand::fill(bytes).expect("the operating system gives randomness");
}
