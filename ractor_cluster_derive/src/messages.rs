//! Which types are messages for other nodes: enums, and structs as enums of one variant.

use proc_macro2::TokenStream;
use quote::quote;
use syn::{Attribute, Data, DataEnum, DataStruct, DeriveInput, Ident, Result, Variant};

use crate::ir::ParsedEnum;
use crate::parse::parse_cluster_message;

/// What a struct has for the name of its variant; no variant of an enum can have it.
pub(crate) const STRUCT: &str = "Self";

/// A message: how it is written, and its variants.
pub(crate) struct ClusterMessage<'a> {
    pub(crate) ast: &'a DeriveInput,
    pub(crate) parsed: ParsedEnum,
}

/// Finds the variants of a message. A struct has one: the struct's name is its tag.
///
/// # Errors
/// The type is a union, or a variant is none of a message.
pub(crate) fn parse(ast: &DeriveInput) -> Result<ClusterMessage<'_>> {
    let parsed = match &ast.data {
        Data::Struct(data) => parse_struct(ast, data)?,
        _ => parse_cluster_message(ast)?,
    };
    Ok(ClusterMessage { ast, parsed })
}

fn parse_struct(ast: &DeriveInput, data: &DataStruct) -> Result<ParsedEnum> {
    let as_enum = DeriveInput { data: Data::Enum(enum_of(ast, data)), ..ast.clone() };
    let mut parsed = parse_cluster_message(&as_enum)?;
    for variant in &mut parsed.variants {
        variant.variant_tag = ast.ident.to_string();
    }
    Ok(parsed)
}

fn enum_of(ast: &DeriveInput, data: &DataStruct) -> DataEnum {
    let is_rpc = |it: &&Attribute| it.path().is_ident("rpc");
    let variant = Variant {
        attrs: ast.attrs.iter().filter(is_rpc).cloned().collect(),
        ident: Ident::new(STRUCT, ast.ident.span()),
        fields: data.fields.clone(),
        discriminant: None,
    };
    DataEnum {
        enum_token: Default::default(),
        brace_token: Default::default(),
        variants: std::iter::once(variant).collect(),
    }
}

/// The path of a variant.
pub(crate) fn path(variant: &Ident) -> TokenStream {
    if variant == STRUCT {
        return quote! { Self };
    }
    quote! { Self::#variant }
}
