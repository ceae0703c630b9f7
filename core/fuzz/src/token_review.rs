//! The target for bodies of requests to the webhook.

use ack_ram_core::review::TokenReview;
use serde_json::Value;

use crate::check_line;

/// Parses the input as a TokenReview.
pub fn token_review(input: &[u8]) {
    match TokenReview::parse(input) {
        Ok(review) => {
            let read: Value = serde_json::from_slice(input).unwrap();
            assert_eq!(read["kind"], "TokenReview");
            assert_eq!(read["apiVersion"], review.version().api_version());
            assert_eq!(read["spec"]["token"], review.token().expose());
        }
        Err(error) => check_line(&error.to_string()),
    }
}
