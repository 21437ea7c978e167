// Asks for what every screen needs while the screen's own modules still come.

import { readVenue } from "./api.js";

readVenue().catch(() => {}); // whoever needs it asks again, and says what failed
