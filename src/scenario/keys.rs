//! Every key of a scenario with its path, for documents.
//!
//! Pure. `[]` stands for an item of a list, `NAME` for a key that the writer chooses, `(kind)` for the parameters of a kind.

use super::tables::{TOP, common};
use crate::catalog::Catalog;
use crate::registry::{Family, Field, Ty};

/// A key with its path.
#[derive(Clone, Debug)]
pub struct Key {
    /// Where it stands: `fleet.role.NAME.replicas`.
    pub path: String,
    /// What is said of it.
    pub field: Field,
}

/// Every key, in the order of documents.
pub fn keys(catalog: &Catalog) -> Vec<Key> {
    let mut found = Vec::new();
    fields(catalog, TOP, "", &mut found);
    found
}

fn fields(catalog: &Catalog, fields: &[Field], path: &str, found: &mut Vec<Key>) {
    for field in fields {
        let path = if path.is_empty() {
            field.key.to_owned()
        } else {
            format!("{path}.{}", field.key)
        };
        found.push(Key {
            path: path.clone(),
            field: *field,
        });
        below(catalog, &field.ty, &path, found);
    }
}

fn below(catalog: &Catalog, ty: &Ty, path: &str, found: &mut Vec<Key>) {
    match ty {
        Ty::Table(inner) => fields(catalog, inner, path, found),
        Ty::List(inner) => below(catalog, inner, &format!("{path}[]"), found),
        Ty::Map(inner) => below(catalog, inner, &format!("{path}.NAME"), found),
        Ty::Either(forms) => {
            for form in *forms {
                below(catalog, form, path, found);
            }
        }
        // The profiles stand below `load` and `loads`; once is enough.
        Ty::Kind(Family::Profile) if path.contains("loads") => {}
        Ty::Kind(family) => {
            fields(catalog, common(*family), path, found);
            for info in catalog.kinds(*family) {
                fields(
                    catalog,
                    info.fields,
                    &format!("{path}({})", info.name),
                    found,
                );
            }
        }
        Ty::Text
        | Ty::Name
        | Ty::Bool
        | Ty::Integer { .. }
        | Ty::Number { .. }
        | Ty::Duration { .. }
        | Ty::Rate
        | Ty::Share
        | Ty::Bytes
        | Ty::OneOf(_)
        | Ty::Words { .. }
        | Ty::Secret
        | Ty::Any => {}
    }
}
