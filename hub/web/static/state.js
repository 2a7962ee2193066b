// What all pages know: the hub's last picture and its time.

export const state = {
  picture: null,
  receivedMs: 0,
  aheadMs: 0,
  connected: false,
};

export const hubNowMs = () => Date.now() + state.aheadMs;

export function take(picture) {
  state.picture = picture;
  state.receivedMs = Date.now();
  state.aheadMs = picture.time_ms - Date.now();
  state.connected = true;
}

export function forget() {
  state.picture = null;
  state.connected = false;
}
