//! Text to specs: the verb of this station.

use super::Spec;
use super::node::Node;
use super::reader::Reader;
use super::tree;
use crate::catalog::Catalog;
use crate::diagnostic::{Diagnostic, Diagnostics, codes};

/// What a file holds.
#[derive(Debug)]
pub struct Parsed {
    /// Its datastreams, also those with mistakes as far as they could be read ([`Spec::broken`]).
    pub specs: Vec<Spec>,
    /// Every mistake, in all of them.
    pub diagnostics: Diagnostics,
}

/// Reads the datastreams of a file. Total: any text gives an answer, in time bounded by its length.
#[must_use]
pub fn parse(text: &str, catalog: &Catalog) -> Parsed {
    let mut diagnostics = Diagnostics::default();
    let nodes = tree::read(text, &mut diagnostics);
    // Repeated keys and the like broke the tree of some document; which one is not worth knowing.
    let broken = diagnostics.has_errors();
    let mut reader = Reader {
        text,
        catalog,
        diagnostics: &mut diagnostics,
    };
    // A separator with nothing behind it is no datastream.
    let written = nodes.iter().filter(|node: &&Node| !node.is_null());
    let mut specs: Vec<Spec> = written.clone().filter_map(|node| reader.document(node)).collect();
    if written.count() == 0 && !nodes.is_empty() && !broken {
        let found = Diagnostic::new(codes::E0114, nodes[0].span, "the file holds no datastream");
        diagnostics.push(found.help("the smallest one has `datastreamName`, `sources` and `sinks`"));
    }
    specs.iter_mut().for_each(|spec| spec.broken |= broken);
    same_names(&mut specs, &mut diagnostics);
    Parsed { specs, diagnostics }
}

fn same_names(specs: &mut [Spec], diagnostics: &mut Diagnostics) {
    for index in 1..specs.len() {
        let (earlier, later) = specs.split_at_mut(index);
        let name = &later[0].name;
        let Some(first) = earlier
            .iter()
            .find(|spec| spec.name.value == name.value && !name.value.is_empty())
        else {
            continue;
        };
        let found = Diagnostic::new(
            codes::E0211,
            name.span,
            format!("two datastreams are called `{}`", name.value),
        );
        diagnostics.push(
            found
                .also(first.name.span, "the first one")
                .help("a name is an identity: give one of them another"),
        );
        later[0].broken = true;
    }
}
