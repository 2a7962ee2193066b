// Links from one page to another; one that isn't in the navigation gets none.

export const linkTo = (id, text) =>
  (document.querySelector(`#nav [data-page="${id}"]`) ? { href: `#/${id}`, text } : null);
