//! No function grows past its ceiling, tests included.

use syn::spanned::Spanned;
use syn::visit::{self, Visit};

use crate::ratchet::{FUNCTIONS, exceeds};
use crate::{report, tree};

const LINES_MAX: usize = 70;

#[derive(Default)]
struct Functions {
    /// Name and length in lines.
    seen: Vec<(String, usize)>,
}

impl Functions {
    fn see(&mut self, name: &syn::Ident, block: &syn::Block) {
        let span = block.span();
        self.seen
            .push((name.to_string(), span.end().line + 1 - span.start().line));
    }
}

impl<'ast> Visit<'ast> for Functions {
    fn visit_item_fn(&mut self, item: &'ast syn::ItemFn) {
        self.see(&item.sig.ident, &item.block);
        visit::visit_item_fn(self, item);
    }

    fn visit_impl_item_fn(&mut self, item: &'ast syn::ImplItemFn) {
        self.see(&item.sig.ident, &item.block);
        visit::visit_impl_item_fn(self, item);
    }
}

#[test]
fn no_function_grows_past_its_ceiling() {
    let mut found = Vec::new();
    for file in tree::sources() {
        let parsed = match syn::parse_file(&file.text) {
            Ok(parsed) => parsed,
            Err(error) => {
                found.push(format!("{}: {error}", file.path));
                continue;
            }
        };
        let mut functions = Functions::default();
        functions.visit_file(&parsed);
        for (name, lines) in functions.seen {
            found.extend(exceeds(FUNCTIONS, &format!("{}::{name}", file.path), lines, LINES_MAX));
        }
    }
    report("functions past their ceiling", &found);
}
