// The live feed: a WebSocket that comes back by itself, with longer pauses the longer central is away.
import { floor } from './floor.js';
import { get, Refused } from './rest.js';

const FIRST_MS = 400;
const LONGEST_MS = 8_000;
const DEAF_MS = 12_000;

export class Live {
  constructor() {
    this._pause = FIRST_MS;
    /** @type {WebSocket | null} */
    this._socket = null;
    this._ended = true;
    this._retry = 0;
    this._watch = 0;
    this._asking = false;
  }

  begin() {
    this._ended = false;
    this._connect();
    this._watch = setInterval(() => this._look(), 1000);
    addEventListener('online', () => !this._ended && this._again(0));
  }

  end() {
    this._ended = true;
    clearInterval(this._watch);
    clearTimeout(this._retry);
    this._socket?.close();
  }

  _connect() {
    const socket = new WebSocket(`${location.protocol === 'https:' ? 'wss' : 'ws'}://${location.host}/v1/live`);
    socket.binaryType = 'arraybuffer';
    this._socket = socket;
    socket.onopen = async () => {
      try {
        await floor.readAnew();
      } catch (e) {
        if (e instanceof Refused && e.status === 401) return;
        socket.close();
        return;
      }
      this._pause = FIRST_MS;
      this._say('live');
    };
    socket.onmessage = ({ data }) => this._heard(data);
    socket.onclose = () => {
      if (this._socket !== socket || this._ended) return;
      this._say('lost');
      this._comeBackLater();
    };
  }

  _comeBackLater() {
    this._again(this._pause);
    this._pause = Math.min(LONGEST_MS, this._pause * 1.7);
  }

  /** @param {number} after_ms */
  _again(after_ms) {
    clearTimeout(this._retry);
    this._retry = setTimeout(async () => {
      if (this._ended || this._socket?.readyState === WebSocket.OPEN) return;
      try {
        await get('/v1/me'); // a session that has ended leads to the login page, not to a knock every few seconds
      } catch (e) {
        if (!(e instanceof Refused && e.status === 401)) this._comeBackLater();
        return;
      }
      this._connect();
    }, after_ms * (0.8 + Math.random() * 0.4));
  }

  /** A connection may die without a word: when nothing was heard for long, central is asked whether it is there. */
  async _look() {
    floor.tell('tick');
    if (floor.link.state !== 'live' || floor.silence() < DEAF_MS || this._asking) return;
    this._asking = true;
    await get('/v1/me').catch(() => this._socket?.close());
    this._asking = false;
  }

  /** @param {ArrayBuffer | string} data */
  _heard(data) {
    floor.link.heard = performance.now();
    if (data instanceof ArrayBuffer) {
      floor.heardPoses(data);
      return;
    }
    const message = JSON.parse(data);
    if (message.kind === 'fleet') floor.heardFleet(message.view);
    else if (message.kind === 'rows') floor.heardRows(message);
    else if (message.kind === 'alarm') floor.heardAlarm(message.alarm);
  }

  /** @param {'connecting' | 'live' | 'lost'} state */
  _say(state) {
    floor.link.state = state;
    floor.tell('link');
  }
}
