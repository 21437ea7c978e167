// Requests the venue, which every screen needs, while the screen's own modules are still loading.

import { readVenue } from "./api.js";

readVenue().catch(() => {}); // the screen requests it again and reports the error
