//! How the clients of a workload prove who they are.
//!
//! Pure.

use super::field;
use crate::registry::{Field, Need, Ty};

pub(super) const AUTH: Field = field(
    "auth",
    Ty::Table(&[
        field(
            "bearer",
            Ty::Either(&[Ty::Secret, Ty::List(&Ty::Secret)]),
            Need::Optional,
            "the token of `authorization: Bearer`, or several that the clients take in turn",
            "{ env = \"TOKEN\" }",
        ),
        field(
            "client_credentials",
            Ty::Table(CREDENTIALS),
            Need::Optional,
            "tokens of an authorization server (OAuth 2.1, client credentials), each client its own; the server is found by the endpoint's metadata",
            "{ client_id = \"load\", secret = { env = \"CLIENT_SECRET\" } }",
        ),
    ]),
    Need::Optional,
    "how clients prove who they are",
    "{ bearer = { env = \"TOKEN\" } }",
);

const CREDENTIALS: &[Field] = &[
    field(
        "client_id",
        Ty::Text,
        Need::Required,
        "the client's id",
        "\"load\"",
    ),
    field(
        "secret",
        Ty::Secret,
        Need::Optional,
        "its secret",
        "{ env = \"CLIENT_SECRET\" }",
    ),
    field(
        "private_key",
        Ty::Secret,
        Need::Optional,
        "its private key, PEM, in place of a secret",
        "{ file = \"client.pem\" }",
    ),
    field(
        "algorithm",
        Ty::OneOf(&[
            "ES256", "ES384", "RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "EdDSA",
        ]),
        Need::Optional,
        "the algorithm that the key signs with; what suits the key and the server if it is left out",
        "\"ES256\"",
    ),
    field(
        "scope",
        Ty::Text,
        Need::Optional,
        "the scopes to ask for, apart from those that the server demands",
        "\"mcp:tools\"",
    ),
    field(
        "token_url",
        Ty::Text,
        Need::Optional,
        "where tokens are got, without discovery",
        "\"https://127.0.0.1:9000/token\"",
    ),
    field(
        "authentication",
        Ty::OneOf(&[
            "client_secret_basic",
            "client_secret_post",
            "private_key_jwt",
            "none",
        ]),
        Need::Optional,
        "how the client proves itself to the authorization server; what the server offers if it is left out",
        "\"client_secret_post\"",
    ),
];
