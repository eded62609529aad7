//! What sharing a message needs beside [`Message`](https://docs.rs/ractor): the derive
//! `SharedMessage`, and the attribute `#[shared]` of the derives of messages.

use proc_macro2::{Delimiter, Group, Span, TokenStream, TokenTree};
use quote::{format_ident, quote, quote_spanned, ToTokens};
use syn::spanned::Spanned;
use syn::{Attribute, Data, DeriveInput, Error, Fields, Member, Path, Result, Type};

/// Everything that can stand in `#[shared(…)]`.
const WORDS: &str = "`never` on a type, `no_copy` on a variant";

/// What a variant says whose fields are not to be copied.
const NO_COPY: &str = "no_copy";

/// What a type says of itself with `#[shared]`.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Wish {
    /// Nothing: as the derive goes.
    Unsaid,
    /// To be shared.
    Shared,
    /// Never to be shared.
    Never,
}

/// `#[derive(SharedMessage)]`.
pub(crate) fn derive(input: TokenStream) -> TokenStream {
    syn::parse2(input).and_then(|ast| expand(&ast)).unwrap_or_else(Error::into_compile_error)
}

/// Adds to the implementation of `Message` what the type's `#[shared]` asks for, and that it boxes
/// messages in no way of its own, so that they need no box.
pub(crate) fn complete(ast: &DeriveInput, implementation: TokenStream) -> TokenStream {
    let boxing = quote! {
        #[doc(hidden)]
        fn keeps_default_boxing() -> bool {
            true
        }
    };
    let implementation = with(implementation, &boxing);
    match wish(ast) {
        Ok(Wish::Unsaid) => implementation,
        Ok(Wish::Never) => with(implementation, &quote! { fn arc_shareable() -> bool { false } }),
        Ok(Wish::Shared) => {
            let shared = expand(ast).unwrap_or_else(Error::into_compile_error);
            quote! { #implementation #shared }
        }
        Err(error) => {
            let error = error.into_compile_error();
            quote! { #implementation #error }
        }
    }
}

/// The implementation, which ends with a block, with one more function in the block.
fn with(implementation: TokenStream, function: &TokenStream) -> TokenStream {
    let mut tokens: Vec<TokenTree> = implementation.into_iter().collect();
    if let Some(TokenTree::Group(block)) = tokens.pop() {
        let items = block.stream();
        tokens.push(Group::new(Delimiter::Brace, quote! { #items #function }).into());
    }
    tokens.into_iter().collect()
}

/// The words of all `#[shared]`, each with its place; a bare one is the word `shared`.
fn words(attributes: &[Attribute]) -> Result<Vec<(String, Span)>> {
    let mut words = Vec::new();
    for attribute in attributes.iter().filter(|it| it.path().is_ident("shared")) {
        if attribute.meta.require_path_only().is_ok() {
            words.push(("shared".to_owned(), attribute.span()));
            continue;
        }
        attribute.parse_nested_meta(|word| {
            words.push((word.path.to_token_stream().to_string(), word.path.span()));
            Ok(())
        })?;
    }
    Ok(words)
}

/// Whether a variant's fields may be copied: its `#[shared]` does not forbid it.
pub(crate) fn is_copied(attributes: &[Attribute]) -> bool {
    let forbidden = words(attributes).map(|it| it.iter().any(|(word, _)| word == NO_COPY));
    !forbidden.unwrap_or(false)
}

fn wish(ast: &DeriveInput) -> Result<Wish> {
    let mut wish = Wish::Unsaid;
    for (word, span) in words(&ast.attrs)? {
        wish = match word.as_str() {
            "shared" => Wish::Shared,
            "never" => Wish::Never,
            _ => return Err(Error::new(span, format!("there is no such word; there are {WORDS}"))),
        };
    }
    Ok(wish)
}

/// A struct, or a variant.
struct Shape<'a> {
    path: Path,
    fields: Vec<(Member, &'a Type)>,
    no_copy: bool,
}

impl<'a> Shape<'a> {
    fn new(path: Path, fields: &'a Fields, attributes: &[Attribute]) -> Result<Self> {
        let mut no_copy = false;
        for (word, span) in words(attributes)? {
            if word != NO_COPY {
                return Err(Error::new(span, format!("there is no such word; there are {WORDS}")));
            }
            no_copy = true;
        }
        let fields = fields.members().zip(fields.iter().map(|field| &field.ty)).collect();
        Ok(Self { path, fields, no_copy })
    }

    fn holds_port(&self) -> bool {
        self.fields.iter().any(|(_, of)| is_reply_port(of))
    }

    fn is_copied(&self) -> bool {
        !self.no_copy && !self.holds_port()
    }

    fn clone_arm(&self) -> TokenStream {
        let path = &self.path;
        if !self.is_copied() {
            return quote! { #path { .. } => ::core::option::Option::None, };
        }
        let members = self.fields.iter().map(|(member, _)| member);
        let names: Vec<_> = (0..self.fields.len()).map(|n| format_ident!("__field{n}")).collect();
        let copies = self.fields.iter().zip(&names).map(|((member, of), name)| {
            // On the type's own place, where the compiler then says that it is no `Clone`.
            let copy = quote_spanned! { of.span() => <#of as ::core::clone::Clone>::clone(#name) };
            quote! { #member: #copy }
        });
        quote! {
            #path { #(#members: #names),* } => ::core::option::Option::Some(#path { #(#copies),* }),
        }
    }
}

fn is_reply_port(of: &Type) -> bool {
    matches!(of, Type::Path(of) if of.path.segments.last().is_some_and(|it| it.ident == "RpcReplyPort"))
}

fn shapes(ast: &DeriveInput) -> Result<Vec<Shape<'_>>> {
    match &ast.data {
        Data::Struct(data) => Ok(vec![Shape::new(syn::parse_quote!(Self), &data.fields, &[])?]),
        Data::Enum(data) => data
            .variants
            .iter()
            .map(|variant| {
                let name = &variant.ident;
                Shape::new(syn::parse_quote!(Self::#name), &variant.fields, &variant.attrs)
            })
            .collect(),
        Data::Union(_) => Err(Error::new(
            ast.ident.span(),
            "a union does not say what it holds, and is not shared",
        )),
    }
}

fn expand(ast: &DeriveInput) -> Result<TokenStream> {
    let never = wish(ast)? == Wish::Never;
    let shapes = shapes(ast)?;
    let name = &ast.ident;
    let generics = bounded(ast, &shapes);
    let (impl_generics, ty_generics, where_clause) = generics.split_for_impl();

    let copies = shapes.iter().map(Shape::clone_arm);
    let ports = shapes.iter().filter(|shape| shape.holds_port()).map(|shape| &shape.path);
    let shareable = if never {
        quote! { false }
    } else {
        quote! {
            #[allow(unreachable_patterns, clippy::match_single_binding)]
            match self {
                #(#ports { .. } => false,)*
                _ => true,
            }
        }
    };
    let synced = shapes.iter().flat_map(|shape| &shape.fields).map(|(_, of)| {
        quote_spanned! { of.span() => __is_sync::<#of>(); }
    });
    let empty = shapes.is_empty();
    let copied = if empty {
        quote! { *self }
    } else {
        quote! { self }
    };
    Ok(quote! {
        #[automatically_derived]
        impl #impl_generics ::ractor::message::SharedMessage for #name #ty_generics #where_clause {
            fn clone_shared(&self) -> ::core::option::Option<Self> {
                fn __is_sync<T: ?Sized + ::core::marker::Sync>() {}
                #(#synced)*
                match #copied { #(#copies)* }
            }

            fn is_shareable(&self) -> bool {
                #shareable
            }
        }
    })
}

/// The type's generics, with what its fields need of them.
fn bounded(ast: &DeriveInput, shapes: &[Shape<'_>]) -> syn::Generics {
    let mut generics = ast.generics.clone();
    let parameters: Vec<_> = ast.generics.type_params().map(|it| it.ident.to_string()).collect();
    if parameters.is_empty() {
        return generics;
    }
    let bounds = &mut generics.make_where_clause().predicates;
    bounds.push(syn::parse_quote!(Self: ::ractor::Message + ::core::marker::Sync));
    for shape in shapes {
        for (_, of) in &shape.fields {
            if !mentions(of.to_token_stream(), &parameters) {
                continue;
            }
            bounds.push(syn::parse_quote!(#of: ::core::marker::Sync));
            if shape.is_copied() {
                bounds.push(syn::parse_quote!(#of: ::core::clone::Clone));
            }
        }
    }
    generics
}

pub(crate) fn mentions(tokens: TokenStream, names: &[String]) -> bool {
    tokens.into_iter().any(|token| match token {
        TokenTree::Ident(ident) => names.contains(&ident.to_string()),
        TokenTree::Group(group) => mentions(group.stream(), names),
        _ => false,
    })
}
