// SPDX-License-Identifier: GPL-2.0

//! `#[pin_data]` for the models: takes the marks `#[pin]` off the fields, which nothing here needs.

use proc_macro::{Delimiter, Group, TokenStream, TokenTree};

/// Stands for the macro of the kernel's crate `pin-init`.
#[proc_macro_attribute]
pub fn pin_data(_arguments: TokenStream, item: TokenStream) -> TokenStream {
    without_pin(item)
}

fn without_pin(stream: TokenStream) -> TokenStream {
    let mut out = Vec::new();
    let mut tokens = stream.into_iter().peekable();
    while let Some(token) = tokens.next() {
        let is_hash = matches!(&token, TokenTree::Punct(punct) if punct.as_char() == '#');
        let is_pin = matches!(tokens.peek(), Some(TokenTree::Group(group))
            if group.delimiter() == Delimiter::Bracket && group.stream().to_string() == "pin");
        if is_hash && is_pin {
            tokens.next();
            continue;
        }
        out.push(match token {
            TokenTree::Group(group) => {
                TokenTree::Group(Group::new(group.delimiter(), without_pin(group.stream())))
            }
            other => other,
        });
    }
    out.into_iter().collect()
}

/// Stands for the kernel's macro: such tests are left to the kernel.
#[proc_macro_attribute]
pub fn kunit_tests(_name: TokenStream, _item: TokenStream) -> TokenStream {
    TokenStream::new()
}
