// Lets a page of the console follow what happens: when the server says that something
// did, the page asks for itself anew, and what is marked data-live takes over what
// changed. Times count between. Without this script every page is as whole.
'use strict';
(() => {
  const body = document.body;
  if (!('follow' in body.dataset)) return;

  // The server's clock: this one may be wrong.
  let skew = Date.parse(body.dataset.now) - Date.now();
  const now = () => Date.now() + skew;

  const pad = n => String(n).padStart(2, '0');
  const took = ms => {
    const s = Math.max(0, Math.round(ms / 1000));
    if (s < 60) return s + 's';
    if (s < 3600) return Math.floor(s / 60) + 'm ' + pad(s % 60) + 's';
    return Math.floor(s / 3600) + 'h ' + pad(Math.floor(s / 60) % 60) + 'm';
  };
  const clock = ms => new Date(ms).toISOString().slice(11, 19);

  // Times that count.
  const count = () => {
    if (gone) return; // nothing is known of now
    for (const e of document.querySelectorAll('time[data-due]')) {
      const left = Date.parse(e.dataset.due) - now();
      e.textContent = left > 0 ? 'in ' + took(left) : 'due';
    }
    for (const e of document.querySelectorAll('[data-since]')) {
      const since = Date.parse(e.dataset.since), until = Date.parse(e.dataset.until);
      const elapsed = now() - since;
      if (isNaN(until)) { e.textContent = 'for ' + took(elapsed); continue; }
      e.textContent = took(Math.min(elapsed, until - since)) + ' of at ' + (e.dataset.state === 'baseline' ? 'least ' : 'most ') + took(until - since);
      const bar = e.closest('.progress')?.querySelector('progress');
      if (bar) bar.value = Math.min(elapsed, until - since) / 1000;
    }
  };

  // Pictures say where something stands in attributes; see the rules that the page has.
  const place = root => {
    for (const side of ['left', 'right', 'top']) {
      for (const e of root.querySelectorAll('span[data-' + side + ']')) e.style[side] = e.dataset[side] + '%';
    }
  };

  // morph makes one element like another, and leaves alone what is the same: what is
  // open stays open, what has the focus or was typed in keeps it.
  const morph = (from, to) => {
    if (from.isEqualNode(to)) return;
    if (from.nodeType !== to.nodeType || from.nodeName !== to.nodeName || from.id !== to.id) { from.replaceWith(to.cloneNode(true)); return; }
    if (from.name === 'key' && to.name === 'key') return; // a form that is sent again asks for the same
    if (from.nodeType !== Node.ELEMENT_NODE) { if (from.nodeValue !== to.nodeValue) from.nodeValue = to.nodeValue; return; }
    for (const a of [...from.attributes]) if (!to.hasAttribute(a.name) && a.name !== 'style' && !(a.name === 'open' && from.nodeName === 'DETAILS')) from.removeAttribute(a.name);
    for (const a of to.attributes) if (from.getAttribute(a.name) !== a.value) from.setAttribute(a.name, a.value);
    if (from.nodeName === 'INPUT' || from.nodeName === 'TEXTAREA') return;
    const old = [...from.childNodes], fresh = [...to.childNodes];
    const ids = new Map(old.filter(n => n.id).map(n => [n.id, n]));
    let at = from.firstChild;
    for (const n of fresh) {
      const same = n.id ? ids.get(n.id) : (at && !at.id && at.nodeName === n.nodeName ? at : null);
      if (same) {
        if (same !== at) from.insertBefore(same, at); else at = at.nextSibling;
        morph(same, n);
      } else {
        from.insertBefore(document.importNode(n, true), at);
      }
    }
    while (at) { const next = at.nextSibling; at.remove(); at = next; }
  };

  let gone = 0, refused = false, busy = false, again = false, heard = Date.now();
  const banner = document.getElementById('gone');
  const lost = () => {
    if (gone) return;
    gone = heard + skew;
    banner.textContent = 'The server has not answered since ' + clock(gone) + ' UTC. What this page shows is of then, and may be wrong by now.';
    banner.hidden = false;
    body.classList.add('stale');
  };
  const found = () => {
    heard = Date.now();
    if (!gone) return;
    gone = 0;
    banner.hidden = true;
    body.classList.remove('stale');
  };

  const refresh = async () => {
    if (busy) { again = true; return; }
    busy = true;
    try {
      const stop = AbortSignal.timeout(8000);
      const got = await fetch(location.href, { headers: { 'X-Requested-With': 'live' }, signal: stop });
      if (got.redirected && new URL(got.url).pathname === '/signin') { location.assign(got.url); return; }
      if (got.status >= 500) { lost(); return; }
      if (got.status === 429) return;
      const page = new DOMParser().parseFromString(await got.text(), 'text/html');
      found();
      skew = Date.parse(page.body.dataset.now) - Date.now();
      if (got.ok && refused) { location.reload(); return; }
      if (!got.ok) { // what the page showed is there no more, or not for whoever looks
        if (!refused) document.getElementById('main').replaceChildren(...page.getElementById('main').children);
        refused = true;
      }
      for (const to of page.querySelectorAll('[data-live]')) {
        const from = document.getElementById(to.id);
        if (from) morph(from, to);
      }
      place(document);
      count();
    } catch { lost(); } finally {
      busy = false;
      if (again) { again = false; setTimeout(refresh, 1000); }
    }
  };

  let stream = null;
  const follow = () => {
    if (stream || document.hidden) return;
    stream = new EventSource('/live');
    let seen = null;
    stream.onmessage = e => {
      if (gone || (seen !== null && seen !== e.data)) refresh();
      seen = e.data;
      heard = Date.now();
    };
    stream.onerror = () => { if (Date.now() - heard > 3000) refresh(); };
  };
  document.addEventListener('visibilitychange', () => {
    if (document.hidden) { stream?.close(); stream = null; return; }
    refresh();
    follow();
  });
  // Also of runs of other servers, whose events this one does not have.
  setInterval(() => { if (!document.hidden) refresh(); }, 10000);
  setInterval(count, 1000);
  count(); // where pictures have what, the page's own rules say until it is asked anew
  follow();

  document.querySelector('.menu [aria-current]')?.scrollIntoView({ block: 'nearest', inline: 'center' });

  // One act at a time.
  document.addEventListener('submit', e => {
    for (const b of e.target.querySelectorAll('button')) setTimeout(() => { b.disabled = true; });
  });
  window.addEventListener('pageshow', () => { for (const b of document.querySelectorAll('button:disabled')) b.disabled = false; });
  document.addEventListener('keydown', e => {
    if (e.key !== 'Escape') return;
    for (const d of document.querySelectorAll('details.act[open], details.pages[open]')) { d.open = false; d.querySelector('summary').focus(); }
  });
})();
