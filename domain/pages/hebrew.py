"""The Hebrew words of the pages of an export."""

from collections.abc import Mapping

HEBREW: Mapping[str, str] = {
    # the head of the page
    "Archive": "תיק",
    "version": "גרסה",
    "Process": "תהליך",
    "Template": "תבנית",
    "Made by Cellosign": "נוצר ב-Cellosign",
    # the proof
    "What was checked": "מה נבדק",
    "Held by": "התיק מוחזק אצל",
    "not stated": "לא צוין",
    "Result of the check": "תוצאת הבדיקה",
    "Whole and unchanged": "שלם וללא שינוי",
    "The stored parts are whole and unchanged. The card details cannot be opened.": (
        "החלקים השמורים שלמים וללא שינוי. אי אפשר לפתוח את פרטי הכרטיס."
    ),
    "DAMAGED. Do not rely on this copy.": "פגום. אין להסתמך על עותק זה.",
    "Checked at": "מועד הבדיקה",
    "Receipt number": "מספר הקבלה",
    "Number of the list": "מספר הרשימה החתומה",
    "Time of the list": "מועד הרשימה",
    "Root of the list": "שורש הרשימה",
    "none yet": "עדיין אין",
    "Every stored part of the archive is as it was when it arrived: its bytes have the digests written then.": (
        "כל חלק שנשמר מן התיק זהה למה שהתקבל: טביעות האצבע (SHA-256) שלו הן אלה שנרשמו בעת הקבלה."
    ),
    "The request of Cellosign was put together again from these parts. It is the request that the receipt number "
    "names.": "הפנייה של Cellosign הורכבה מחדש מן החלקים, והיא הפנייה שמספר הקבלה מציין.",
    "The request contains card details, which are kept encrypted and are not in this copy. The request was put "
    "together again where the archive is kept, and it is the request that the receipt number names.": (
        "הפנייה כוללת פרטי כרטיס אשראי, שנשמרים מוצפנים ואינם בעותק זה. הפנייה הורכבה מחדש במקום שבו התיק נשמר, והיא "
        "הפנייה שמספר הקבלה מציין."
    ),
    "The request contains card details, whose key is lost or was destroyed. Nobody can open them without the key. The "
    "request could not be put together again, so it was not compared with the receipt number.": (
        "הפנייה כוללת פרטי כרטיס אשראי שמפתח ההצפנה שלהם אבד או הושמד. בלי המפתח איש אינו יכול לפתוח אותם. לא היה "
        "אפשר להרכיב מחדש את הפנייה, ולכן היא לא הושוותה למספר הקבלה."
    ),
    "The archive stands in a signed list of what was kept at that time. The list cannot be changed unnoticed.": (
        "התיק מופיע ברשימה חתומה של כל מה שנשמר באותו מועד. אי אפשר לשנות את הרשימה בלי שהדבר יתגלה."
    ),
    "An independent authority has confirmed the time of that list.": "גורם בלתי תלוי אישר את מועד הרשימה.",
    "The archive is not yet in a signed list, so this copy does not prove at what time the archive existed.": (
        "התיק עדיין אינו מופיע ברשימה חתומה, ולכן עותק זה אינו מוכיח באיזה מועד התיק היה קיים."
    ),
    "What is wrong": "מה אינו תקין",
    "fault": "הליקוי",
    "file in the store": "הקובץ באחסון",
    "expected": "צפוי",
    "found": "נמצא",
    "damaged": "פגום",
    "missing": "חסר",
    "extra": "לא מוכר",
    "unreadable": "לא קריא",
    "The archive cannot be read. Its files are in this copy as far as they were found.": (
        "אי אפשר לקרוא את התיק. הקבצים שנמצאו כלולים בעותק זה."
    ),
    "How to check again": "איך בודקים שוב",
    "Unpack this copy, if it is a zip, and open a terminal in its folder, where the file check.py is.": (
        "אם העותק הוא קובץ zip, יש לחלץ אותו. פותחים מסוף (terminal) בתיקייה שבה נמצא הקובץ check.py."
    ),
    "Run the following command. It needs Python and nothing else, and answers YES or NO.": (
        "מריצים את הפקודה הבאה. היא דורשת Python בלבד, ועונה YES (כן) או NO (לא)."
    ),
    "Compare the receipt number with the number that Cellosign has for this request.": (
        "משווים את מספר הקבלה למספר הרשום אצל Cellosign עבור פנייה זו."
    ),
    "Compare the root of the list with a root that was handed over or published at that time:": (
        "משווים את שורש הרשימה לשורש שנמסר או פורסם באותו מועד:"
    ),
    # files
    "Files": "קבצים",
    "file": "קובץ",
    "sent as": "נשלח בשם",
    "role": "תפקיד",
    "element": "רכיב",
    "type": "סוג",
    "looks like": "סוג לפי התוכן",
    "infection": "נוזקה",
    "size": "גודל",
    "signed document": "מסמך חתום",
    "attachment": "קובץ מצורף",
    "not scanned": "לא נסרק",
    "None.": "אין.",
    # the signed document
    "Signed document": "המסמך החתום",
    "No signed document was judged.": "לא נבדק מסמך חתום.",
    "Digital signatures": "חתימות דיגיטליות",
    "Outcome": "מסקנה",
    "Locked": "נעול לשינויים",
    "Covers the whole file": "מכסה את כל הקובץ",
    "Trusted": "מהימן",
    "Sound: every signature is intact and valid, and permits all later changes.": (
        "תקין: כל החתימות שלמות ותקפות, וכל שינוי מאוחר מותר לפיהן."
    ),
    "Changed: the document was changed after it was signed. No signature is known to be broken.": (
        "השתנה: המסמך שונה לאחר שנחתם. לא ידוע על חתימה שבורה."
    ),
    "Broken: a signature or its time stamp does not match what it covers.": (
        "שבור: חתימה או חותמת זמן אינה תואמת את מה שהיא מכסה."
    ),
    "Unsigned: the document has no digital signature.": "לא חתום: אין במסמך חתימה דיגיטלית.",
    "Unreadable: the signatures of the document cannot be judged.": "לא קריא: אי אפשר לבדוק את חתימות המסמך.",
    "not judged: no trusted roots were configured": "לא נבדק: לא הוגדרו תעודות שורש מהימנות",
    "unknown": "לא ידוע",
    "yes": "כן",
    "no": "לא",
    "kind": "סוג",
    "signer": "החותם",
    "organization": "ארגון",
    "signed at": "מועד החתימה",
    "intact": "שלמה",
    "valid": "תקפה",
    "changes after it": "שינויים אחריה",
    "signature": "חתימה",
    "time stamp": "חותמת זמן",
    "none": "אין",
    "validation data or time stamps": "נתוני אימות או חותמות זמן",
    "form fields or further signatures": "שדות טופס או חתימות נוספות",
    "annotations": "הערות",
    "other changes": "שינויים אחרים",
    "permitted": "מותרים",
    "not permitted": "אסורים",
    # the fields and certificates of the signed document
    "Fields changed: a form field that was filled when somebody signed was filled again later.": (
        "שדות השתנו: שדה טופס שהיה מלא בעת חתימה מולא מחדש אחריה."
    ),
    "Fields changed after signing": "שדות ששונו אחרי החתימה",
    "before": "לפני",
    "after": "אחרי",
    "not seen by": "החותם שלא ראה זאת",
    "Certificates of the digital signatures": "התעודות האלקטרוניות של החתימות",
    "certificate": "תעודה",
    "valid until": "בתוקף עד",
    "trusted": "מהימנה",
    "revoked": "בוטלה",
    "tier": "דרגה",
    "algorithm": "אלגוריתם",
    "time from": "מקור המועד",
    "not judged because": "הסיבה שלא נבדקה",
    "plain: in no trust list": "רגילה: אינה ברשימת אמון",
    "secure (Electronic Signature Law, 5761-2001)": 'מאובטחת (חוק חתימה אלקטרונית, התשס"א-2001)',
    "certified (Electronic Signature Law, 5761-2001)": 'מאושרת (חוק חתימה אלקטרונית, התשס"א-2001)',
    "advanced, with a certificate of a listed authority (eIDAS)": "מתקדמת, בתעודה של גורם מאשר רשום (eIDAS)",
    "qualified certificate (eIDAS)": "תעודה מוסמכת (eIDAS)",
    "not judged": "לא נבדק",
    "strong": "חזק",
    "weak": "חלש",
    "strength unknown": "חוזק לא ידוע",
    "no trusted roots were configured": "לא הוגדרו תעודות שורש מהימנות",
    "without a trusted root, OCSP answers and CRLs cannot be checked": (
        "בלי תעודת שורש מהימנה אי אפשר לבדוק תשובות OCSP ורשימות ביטול (CRL)"
    ),
    "its certificate is not trusted": "התעודה שלה אינה מהימנה",
    "a trusted time stamp": "חותמת זמן מהימנה",
    "the signer's own clock": "השעון של החותם",
    "nothing: no time is stated": "אין: לא צוין מועד",
    # payments, discrepancies, warnings
    "Payments": "תשלומים",
    "transaction": "עסקה",
    "session": "מפגש",
    "status": "מצב",
    "standing": "מעמד",
    "amount": "סכום",
    "card": "כרטיס",
    "provider's reference": "אסמכתה של הספק",
    "Discrepancies": "אי-התאמות",
    "code": "קוד",
    "what it means": "משמעות",
    "Warnings": "אזהרות",
    "where": "היכן",
    "detail": "פירוט",
    # sessions
    "Sessions": "מפגשים",
    "Session": "מפגש",
    "Author": "יוצר",
    "Transaction": "עסקה",
    "Created": "נוצר",
    "Submitted": "הוגש",
    "Recipient": "נמען",
    "Submission": "הגשה",
    "Labels": "תוויות",
    "Integrations": "ממשקים",
    "executed": "בוצע",
    "error": "שגיאה",
    # contents
    "Signatures": "חתימות",
    "signed": "נחתם",
    "by": "על ידי",
    "signer id": "מזהה החותם",
    "labels": "תוויות",
    "Form fields": "שדות הטופס",
    "field": "שדה",
    "value": "ערך",
    "page": "עמוד",
    "visible": "גלוי",
    "about it": "פרטים נוספים",
    # arrivals
    "Versions": "גרסאות",
    "received": "התקבל",
    "receipt": "מספר קבלה",
    "Deliveries": "מסירות",
    "outcome": "תוצאה",
    "new": "חדש",
    "changed": "השתנה",
    "duplicate": "כפילות",
}
