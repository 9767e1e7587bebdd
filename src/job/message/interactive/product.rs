//! Products of a catalogue: one, or a list of them.

use super::list::title;
use super::{Field, Problem};

/// Over all sections together.
const PRODUCTS: usize = 30;

pub(super) fn check_one(action: &Field<'_, '_>) -> Result<(), Problem> {
    action.need("catalog_id")?.filled(usize::MAX)?;
    action.need("product_retailer_id")?.filled(usize::MAX).map(drop)
}

pub(super) fn check_list(action: &Field<'_, '_>) -> Result<(), Problem> {
    action.need("catalog_id")?.filled(usize::MAX)?;
    let sections = action.need("sections")?;
    let items = sections.items(1..=10, "sections")?;
    let needs_titles = items.len() > 1;
    let mut products = 0;
    for section in items {
        title(&section, needs_titles)?;
        let list = section.need("product_items")?;
        for product in list.items(1..=usize::MAX, "products")? {
            products += 1;
            product.need("product_retailer_id")?.filled(usize::MAX)?;
        }
    }
    if products > PRODUCTS {
        return Err(sections.refuse(format!("{products} products in all, at most {PRODUCTS}")));
    }
    Ok(())
}
